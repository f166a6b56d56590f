/** Traces and hand-written megaflows: texts in the form recorded from Open vSwitch 3.1. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ofPort } from '../../src/flowtable/of-port.ts';
import { CommandTable } from '../../src/unixctl/command.ts';
import { dpctlCommands } from '../../src/unixctl/commands/dpctl.ts';
import { dpctlFlowCommands } from '../../src/unixctl/commands/dpctl-flows.ts';
import { traceCommands } from '../../src/unixctl/commands/trace.ts';
import { Lab, silent } from '../ofproto/lab.ts';

let lab: Lab;
let run: (...words: string[]) => Promise<string>;

beforeEach(async () => {
  lab = new Lab();
  const br = lab.bridge('br0');
  await lab.port(br, 'br0', 100);
  await lab.port(br, 'p1', 1);
  await lab.port(br, 'p2', 2);
  const switches = () => [lab.switch];
  const table = new CommandTable([
    ...traceCommands(switches),
    ...dpctlCommands(switches),
    ...dpctlFlowCommands(switches, silent),
  ]);
  run = (name, ...args) => table.run(name, args);
});
afterEach(() => lab.switch.close());

const ARP = `ffffffffffff 505400000005 0806 0001 0800 06 04 0001 505400000005 01010101 000000000000 01010102${'00'.repeat(18)}`;

describe('ofproto/trace', () => {
  test('shows the way, the megaflow and the actions', async () => {
    const flow = 'in_port=1,ip,dl_src=50:54:00:00:00:05,dl_dst=50:54:00:00:00:07';
    expect((await run('ofproto/trace', 'br0', flow)).split('\n')).toEqual([
      'Flow: ip,in_port=1,vlan_tci=0x0000,dl_src=50:54:00:00:00:05,dl_dst=50:54:00:00:00:07,nw_src=0.0.0.0,nw_dst=0.0.0.0,nw_proto=0,nw_tos=0,nw_ecn=0,nw_ttl=0,nw_frag=no',
      '',
      'bridge("br0")',
      '-------------',
      ' 0. priority 0',
      '    NORMAL',
      '     -> no learned MAC for destination, flooding',
      '',
      'Final flow: unchanged',
      'Megaflow: recirc_id=0,eth,ip,in_port=1,dl_src=50:54:00:00:00:05,dl_dst=50:54:00:00:00:07,nw_frag=no',
      'Datapath actions: 100,2',
    ]);
  });

  test('marks frames with the DSCP of their queue, each output by itself', async () => {
    const bridge = lab.switch.bridge('br0');
    bridge?.setQueueDscp(
      ofPort(2),
      new Map([
        [1, 1],
        [2, 2],
      ]),
    );
    const actions =
      'enqueue:2:1,enqueue:2:2,enqueue:2:2,enqueue:2:1,output:2,mod_nw_tos:0,output:2';
    const trace = (flow: string) => run('ofproto/trace-packet-out', 'br0', flow, actions);
    expect((await trace('in_port=1,icmp,nw_tos=252')).split('\n').slice(-2)).toEqual([
      'Megaflow: recirc_id=0,skb_priority=0,eth,icmp,in_port=1,nw_tos=252,nw_frag=no',
      'Datapath actions: set(ipv4(tos=0x4/0xfc)),set(skb_priority(0x1)),2,' +
        'set(ipv4(tos=0x8/0xfc)),set(skb_priority(0x2)),2,2,' +
        'set(ipv4(tos=0x4/0xfc)),set(skb_priority(0x1)),2,' +
        'set(ipv4(tos=0xfc/0xfc)),set(skb_priority(0)),2,set(ipv4(tos=0/0xfc)),2',
    ]);
    expect((await trace('in_port=1,arp')).split('\n').at(-1)).toBe(
      'Datapath actions: set(skb_priority(0x1)),2,set(skb_priority(0x2)),2,2,' +
        'set(skb_priority(0x1)),2,set(skb_priority(0)),2,2',
    );
  });

  test('of a flow alone teaches nothing, of a frame it does', async () => {
    const bridge = lab.switch.bridge('br0');
    await run('ofproto/trace', 'br0', 'in_port=1,arp,dl_src=50:54:00:00:00:05');
    expect(bridge?.macs.count).toBe(0);
    const text = await run('ofproto/trace', 'br0', 'in_port=1', ARP);
    expect(text).toContain('     -> learned that 50:54:00:00:00:05 is on port p1 in VLAN 0\n');
    expect(bridge?.macs.count).toBe(1);
  });

  test('takes flows of the datapath, with and without its name', async () => {
    const flow = 'in_port(2),eth(src=50:54:00:00:00:05,dst=50:54:00:00:00:07),eth_type(0x1234)';
    const text = await run('ofproto/trace', flow);
    expect(text.split('\n').at(-1)).toBe('Datapath actions: 100,1');
    expect(await run('ofproto/trace', 'ovs-dummy', flow)).toBe(text);
  });

  test('trace-packet-out runs the actions given', async () => {
    const text = await run('ofproto/trace-packet-out', 'br0', 'in_port=1', 'output:2,output:1');
    expect(text).toContain('    output:2\n    output:1\n     >> skipping output to input port\n');
    expect(text.split('\n').at(-1)).toBe('Datapath actions: 2');
  });

  test.each([
    [['br9', 'in_port=1'], 'br9: unknown bridge'],
    [['br0', 'in_prt=1'], 'Bad openflow flow syntax: in_prt=1: unknown field in_prt'],
    [['in_port=1'], 'syntax error at in_port=1 (or the bridge name was omitted)'],
    [['in_port(77),eth_type(0x1234)'], 'no OpenFlow port for datapath port 77'],
    [['br0', '--bad', 'in_port=1'], '--bad: unknown option'],
    [['br0', '--ct-next'], 'Missing argument for option --ct-next'],
    [['br0', 'in_port=1', 'zz'], 'Trailing garbage in packet data'],
    [['br0', 'in_port=1', '00'], 'Packet data too short for Ethernet'],
  ])('%s fails with: %s', async (args, error) => {
    await expect(run('ofproto/trace', ...args)).rejects.toThrow(error);
  });
});

describe('megaflows by hand', () => {
  const FLOW = 'in_port(1),eth(src=50:54:00:00:00:05,dst=50:54:00:00:00:07),eth_type(0x1234)';

  test('are added, changed and deleted', async () => {
    const line = (actions: string): string =>
      `flow-dump from the main thread:\nrecirc_id(0),${FLOW}, packets:0, bytes:0, used:never, actions:${actions}\n`;
    expect(await run('dpctl/add-flow', FLOW, '2')).toBe('');
    expect(await run('dpctl/dump-flows')).toBe(line('2'));
    await expect(run('dpctl/add-flow', FLOW, '2')).rejects.toThrow('(File exists)');
    const stats = await run('dpctl/mod-flow', '-s', FLOW, '100');
    expect(stats).toBe('packets:0, bytes:0, used:never\n');
    expect(await run('dpctl/dump-flows')).toBe(line('100'));
    expect(await run('dpctl/del-flow', FLOW)).toBe('');
    expect(await run('dpctl/dump-flows')).toBe('');
    await expect(run('dpctl/del-flow', FLOW)).rejects.toThrow('(No such file or directory)');
  });

  test('need a whole in_port', async () => {
    await expect(run('dpctl/add-flow', 'eth(),eth_type(0x1234)', '2')).rejects.toThrow(
      'ovs-vswitchd: updating flow table (Invalid argument)',
    );
  });
});
