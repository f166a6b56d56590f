/** Commands about bridges and datapaths: texts as recorded from Open vSwitch 3.1 for the same frames. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Bridge } from '../../src/ofproto/bridge.ts';
import { CommandTable } from '../../src/unixctl/command.ts';
import { dpctlCommands } from '../../src/unixctl/commands/dpctl.ts';
import { dpifCommands } from '../../src/unixctl/commands/dpif.ts';
import { fdbCommands } from '../../src/unixctl/commands/fdb.ts';
import { revalidatorCommands } from '../../src/unixctl/commands/revalidator.ts';
import { BROADCAST, frame, Lab } from '../ofproto/lab.ts';

let lab: Lab;
let br: Bridge;
let run: (line: string) => Promise<string>;

beforeEach(async () => {
  lab = new Lab();
  br = lab.bridge('br0');
  await lab.port(br, 'br0', 100);
  await lab.port(br, 'p1', 1);
  await lab.port(br, 'p2', 2, { vlanMode: 'access', tag: 10 });
  await lab.port(br, 'p3', 3, { trunks: [10, 20] });
  const switches = () => [lab.switch];
  const table = new CommandTable([
    ...fdbCommands(switches, () => lab.clock.now()),
    ...dpifCommands(switches),
    ...dpctlCommands(switches),
    ...revalidatorCommands(switches),
  ]);
  run = (line) => {
    const [name, ...args] = line.split(' ');
    return table.run(name, args);
  };
});
afterEach(() => lab.switch.close());

const ARP = [
  0, 1, 8, 0, 6, 4, 0, 1, 0x50, 0x54, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2,
];
const SYN = [
  ...[0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0x66, 0xce, 10, 0, 0, 1, 10, 0, 0, 2],
  ...[0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0],
];

function traffic(): void {
  lab.inject(1, frame('50:54:00:00:00:01', BROADCAST, '-', 0x0806, ARP));
  lab.inject(2, frame('50:54:00:00:00:02', '50:54:00:00:00:01', '-', 0x0800, SYN));
  lab.inject(3, frame('50:54:00:00:00:03', '50:54:00:00:00:01', '10/3', 0x0800, SYN));
  for (let i = 0; i < 2; i++) {
    lab.inject(3, frame('50:54:00:00:00:03', '50:54:00:00:00:01', '99/3', 0x0800, SYN));
  }
}

const LINES = [
  'recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth(src=50:54:00:00:00:01,dst=ff:ff:ff:ff:ff:ff),eth_type(0x0806),arp(sip=10.0.0.1,tip=10.0.0.2,op=1), packets:0, bytes:0, used:never, actions:100',
  'recirc_id(0),in_port(2),packet_type(ns=0,id=0),eth(src=50:54:00:00:00:02,dst=50:54:00:00:00:01),eth_type(0x0800),ipv4(frag=no), packets:0, bytes:0, used:never, actions:push_vlan(vid=10,pcp=0),100,1,3',
  'recirc_id(0),in_port(3),packet_type(ns=0,id=0),eth(src=50:54:00:00:00:03,dst=50:54:00:00:00:01),eth_type(0x8100),vlan(vid=10,pcp=3),encap(eth_type(0x0800),ipv4(frag=no)), packets:0, bytes:0, used:never, actions:100,1,pop_vlan,2',
  'recirc_id(0),in_port(3),packet_type(ns=0,id=0),eth(src=50:54:00:00:00:03,dst=50:54:00:00:00:01),eth_type(0x8100),vlan(vid=99,pcp=3/0x0),encap(eth_type(0x0800),ipv4(frag=no)), packets:1, bytes:60, used:0.000s, flags:S, actions:drop',
];

describe('megaflows', () => {
  test('dpif/dump-flows', async () => {
    traffic();
    expect((await run('dpif/dump-flows br0')).trimEnd().split('\n')).toEqual(LINES);
  });

  test('dpctl/dump-flows says which thread, and nothing without flows', async () => {
    expect(await run('dpctl/dump-flows')).toBe('');
    traffic();
    const text = `flow-dump from the main thread:\n${LINES.join('\n')}\n`;
    expect(await run('dpctl/dump-flows')).toBe(text);
    expect(await run('dpctl/dump-flows dummy@ovs-dummy')).toBe(text);
  });

  test('-m adds identifiers and names ports', async () => {
    traffic();
    expect((await run('dpif/dump-flows -m br0')).split('\n')[1]).toMatch(
      /^ufid:[0-9a-f]{8}-[0-9a-f]{4}-.*in_port\(p2\).*actions:push_vlan\(vid=10,pcp=0\),br0,p1,p3$/,
    );
    expect(await run('dpctl/dump-flows -m')).toMatch(/^ufid:[0-9a-f-]+, .*, dp:ovs, actions:br0$/m);
  });

  test('revalidator/purge empties, upcall/show counts', async () => {
    traffic();
    expect(await run('upcall/show')).toContain('(keys 4)');
    expect(await run('revalidator/purge')).toBe('');
    expect(await run('dpif/dump-flows br0')).toBe('');
    expect(await run('revalidator/wait')).toBe('');
  });
});

describe('ports', () => {
  test('dpif/show', async () => {
    lab.bridge('br1');
    lab.patch(br, 'pa', 'pb');
    lab.patch(lab.switch.bridge('br1')!, 'pb', 'pa');
    traffic();
    expect(await run('dpif/show')).toBe(
      [
        'dummy@ovs-dummy: hit:1 missed:4',
        '  br0:',
        '    br0 65534/100: (dummy)',
        '    p1 1/1: (dummy)',
        '    p2 2/2: (dummy)',
        '    p3 3/3: (dummy)',
        '    pa 4/none: (patch: peer=pb)',
        '  br1:',
        '    pb 1/none: (patch: peer=pa)',
        '',
      ].join('\n'),
    );
  });

  test('dpctl/show and dpctl/dump-dps', async () => {
    traffic();
    expect(await run('dpctl/dump-dps')).toBe('dummy@ovs-dummy\n');
    expect(await run('dpctl/show')).toBe(
      'dummy@ovs-dummy:\n  lookups: hit:1 missed:4 lost:0\n  flows: 4\n' +
        '  port 1: p1 (dummy)\n  port 2: p2 (dummy)\n  port 3: p3 (dummy)\n  port 100: br0 (dummy)\n',
    );
    expect(await run('dpctl/show -s')).toContain('    RX packets:3 errors:0 dropped:0 ');
  });
});

describe('MAC tables', () => {
  test('fdb/show lists learned entries, oldest first, then static ones', async () => {
    traffic();
    expect(await run('fdb/add br0 p2 10 00:11:22:33:44:55')).toBe('');
    lab.clock.advance(3000);
    expect(await run('fdb/show br0')).toBe(
      [
        ' port  VLAN  MAC                Age',
        '    1     0  50:54:00:00:00:01    3',
        '    2    10  50:54:00:00:00:02    3',
        '    3    10  50:54:00:00:00:03    3',
        '    2    10  00:11:22:33:44:55  static',
        '',
      ].join('\n'),
    );
    expect(await run('fdb/stats-show br0')).toContain('MAC entries in the table: 4/8192\n');
  });

  test('the local port has a name', async () => {
    lab.inject(100, frame('50:54:00:00:00:09', BROADCAST));
    expect(await run('fdb/show br0')).toContain('LOCAL     0  50:54:00:00:00:09    0\n');
  });

  test('fdb/flush keeps static entries', async () => {
    traffic();
    await run('fdb/add br0 p2 10 00:11:22:33:44:55');
    expect(await run('fdb/flush br0')).toBe('table successfully flushed');
    expect(br.macs.count).toBe(1);
    expect(await run('fdb/del br0 10 00:11:22:33:44:55')).toBe('');
    expect(br.macs.count).toBe(0);
    expect(await run('fdb/stats-clear')).toBe('statistics successfully cleared');
  });

  test.each([
    ['fdb/show br9', 'no such bridge'],
    ['fdb/flush br9', 'no such bridge'],
    ['fdb/add br0 p2 10 0011', 'bad MAC address'],
    ['fdb/add br0 p2 4096 00:11:22:33:44:55', 'bad VLAN'],
    ['fdb/add br0 p9 1 00:11:22:33:44:55', 'software error, odp port is present but no ofp port'],
    ['fdb/del br0 10 00:11:22:33:44:55', 'could not find static mac entry'],
    ['dpif/dump-flows br9', 'no such bridge'],
    ['dpctl/dump-flows foo', 'ovs-vswitchd: datapath not found (Invalid argument)'],
    ['dpctl/show foo', 'ovs-vswitchd: opening datapath foo failed (No such device)'],
  ])('%s fails with: %s', async (line, error) => {
    await expect(run(line)).rejects.toThrow(error);
  });
});
