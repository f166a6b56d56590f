/** What single actions become in the datapath, told by traces and dumps: texts as Open vSwitch 3.1 prints them. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MATCH_ALL, MatchBuilder } from '../../src/flowtable/match.ts';
import type { Bridge } from '../../src/ofproto/bridge.ts';
import { NO_BUFFER, NO_FLAGS, OfVersion } from '../../src/ofproto/model.ts';
import { applyFlowMod } from '../../src/ofproto/tables/flow-mods.ts';
import { applyGroupMod } from '../../src/ofproto/tables/groups.ts';
import { applyMeterMod } from '../../src/ofproto/tables/meters.ts';
import { parseActions } from '../../src/ofproto/text/actions-syntax.ts';
import { ETH_TYPE_PROTO } from '../../src/packet/key.ts';
import { CommandTable } from '../../src/unixctl/command.ts';
import { dpctlCommands } from '../../src/unixctl/commands/dpctl.ts';
import { traceCommands } from '../../src/unixctl/commands/trace.ts';
import { frame, Lab } from '../ofproto/lab.ts';

let lab: Lab;
let br: Bridge;
let other: Bridge;
let run: (...words: string[]) => Promise<string>;

beforeEach(async () => {
  lab = new Lab();
  br = lab.bridge('br0');
  other = lab.bridge('br1');
  for (const n of [1, 2, 3]) await lab.port(br, `p${n}`, n);
  await lab.port(other, 'p5', 5);
  lab.patch(br, 'to1', 'to0');
  lab.patch(other, 'to0', 'to1');
  const switches = () => [lab.switch];
  const table = new CommandTable([...traceCommands(switches), ...dpctlCommands(switches)]);
  run = (name, ...args) => table.run(name, args);
});
afterEach(() => lab.switch.close());

const ofType = (ethType: number) =>
  new MatchBuilder().set(ETH_TYPE_PROTO, ethType << 16, 0xffff0000).build();
const add = (bridge: Bridge, actions: string, tableId = 0, match = MATCH_ALL): void => {
  const error = applyFlowMod(bridge, {
    command: 'add',
    tableId,
    priority: 100,
    match,
    actions: parseActions(actions),
    newCookie: 0n,
    cookie: 0n,
    cookieMask: 0n,
    idleTimeoutSeconds: 0,
    hardTimeoutSeconds: 0,
    importance: 0,
    bufferId: NO_BUFFER,
    outPort: null,
    outGroup: null,
    flags: NO_FLAGS,
    version: OfVersion.OF10,
  });
  expect(error).toBeNull();
};
const last = async (flow: string, lines = 1): Promise<string> =>
  (await run('ofproto/trace', 'br0', flow)).split('\n').slice(-lines).join('\n');

const ARP = 'in_port=1,arp,arp_op=1,arp_spa=1.1.1.1';

describe('sample', () => {
  const actions =
    'sample(probability=3000,collector_set_id=7,obs_domain_id=4,obs_point_id=5,sampling_port=3,egress),' +
    'sample(probability=65535,collector_set_id=1,sampling_port=1),2';

  test('does nothing without a collector set', async () => {
    add(br, actions);
    expect(await last('in_port=1,ip')).toBe('Datapath actions: 2');
  });

  test('sends a part of the frames up', async () => {
    br.configure({ samplesFlows: true });
    add(br, actions);
    expect(await last('in_port=1,ip')).toBe(
      'Datapath actions: sample(sample=4.6%,actions(userspace(pid=0,flow_sample(probability=3000,collector_set_id=7,obs_domain_id=4,obs_point_id=5,output_port=3,egress)))),' +
        'userspace(pid=0,flow_sample(probability=65535,collector_set_id=1,obs_domain_id=0,obs_point_id=0,output_port=4294967295)),2',
    );
  });

  test('needs a port that is there', async () => {
    br.configure({ samplesFlows: true });
    add(br, 'sample(probability=1,collector_set_id=7,sampling_port=77),2');
    const text = await run('ofproto/trace', 'br0', 'in_port=1,ip');
    expect(text).toContain(">>>> can't use unknown port 77 in flow sample action <<<<");
    expect(text).toMatch(/actions: 2$/);
  });
});

describe('the slow path', () => {
  const arp = frame('02:00:00:00:00:01', 'ff:ff:ff:ff:ff:ff', '-', 0x0806, [
    ...[0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2],
  ]);

  test('takes frames whose ARP header is rewritten, each of them', async () => {
    add(br, 'load:2->NXM_OF_ARP_OP[],2', 0, ofType(0x0806));
    for (let i = 0; i < 3; i++) expect(lab.deliver(1, arp)).toEqual([2]);
    expect(lab.sent[0].frame[21]).toBe(2);
    expect(await run('dpctl/dump-flows')).toMatch(
      /arp\(op=1\), packets:2, .*actions:userspace\(pid=0,slow_path\(action\)\)/,
    );
    expect(br.tables[0].entries()[0].packets).toBe(1);
    await lab.switch.revalidator.pass();
    expect(br.tables[0].entries()[0].packets).toBe(3);
  });

  test('has a meter of its own', async () => {
    const flags = { kbps: false, pktps: true, burst: false, stats: false };
    const band = { type: 'drop', rate: 1, burst: 1, precLevel: 0 } as const;
    const meter = { command: 'add', meterId: 0xfffffffd, flags, bands: [band] } as const;
    expect(applyMeterMod(br, meter)).toBeNull();
    add(br, 'load:2->NXM_OF_ARP_OP[],2', 0, ofType(0x0806));
    const sent = [1, 2, 3, 4].flatMap(() => lab.deliver(1, arp));
    expect(sent.length).toBeLessThan(4);
    expect(await run('dpctl/dump-flows')).toContain(
      'sample(sample=100.0%,actions(meter(0),userspace(pid=0,slow_path(action))))',
    );
  });

  test('is not asked about a header that is not there', async () => {
    add(br, 'set_field:9.9.9.9->arp_spa,2', 0, ofType(0x0806));
    expect(await last('in_port=1,arp')).toBe('Datapath actions: 2');
    expect(await last(ARP, 3)).toBe(
      'Datapath actions: set(arp(sip=9.9.9.9)),2' +
        '\nThis flow is handled by the userspace slow path because it:' +
        '\n  - Uses action(s) not supported by datapath.',
    );
  });
});

describe('a meter behind a patch port', () => {
  const flags = { kbps: false, pktps: true, burst: false, stats: false };
  const bands = [{ type: 'drop', rate: 2, burst: 0, precLevel: 0 }] as const;
  beforeEach(() => {
    expect(applyMeterMod(other, { command: 'add', meterId: 1, flags, bands })).toBeNull();
    add(other, 'meter:1,5');
  });

  test('drops a copy when something follows', async () => {
    add(br, '4,2');
    expect(await last('in_port=1,ip')).toBe('Datapath actions: clone(meter(0),5),2');
  });

  test('drops the frame when nothing does', async () => {
    add(br, '2,4');
    expect(await last('in_port=1,ip')).toBe('Datapath actions: 2,meter(0),5');
  });
});

describe('limits', () => {
  test('the stack may have 64 kB, looked at with each table', async () => {
    const pushes = 'push:NXM_NX_REG0[],'.repeat(8);
    for (let t = 0; t < 12; t++) add(br, `resubmit(,${t + 1}),resubmit(,${t + 1}),2`, t);
    add(br, pushes, 12);
    const text = await run('ofproto/trace', 'br0', 'in_port=1,ip');
    expect(text).toContain('>>>> resubmits yielded over 64 kB of stack <<<<');
    expect(text).toMatch(/Translation failed \(Stack too deep\), packet is dropped\.\n$/);
  });

  test('a program over 64 kB is done so far, through the slow path', async () => {
    for (let t = 0; t < 12; t++) add(br, `resubmit(,${t + 1}),resubmit(,${t + 1}),2`, t);
    add(br, '2,2,2,2,2,2,2,2', 12);
    const text = await run('ofproto/trace', 'br0', 'in_port=1,ip');
    expect(text.match(/resubmits yielded over 64 kB of actions/g)).toHaveLength(1);
    expect(text).toContain('Uses action(s) not supported by datapath');
  });
});

test('in_port read as 32 bits has reserved ports at the upper end', async () => {
  add(br, 'push:OXM_OF_IN_PORT[0..31],pop:OXM_OF_IPV4_SRC[0..31],2', 0, ofType(0x0800));
  expect(await last('in_port=LOCAL,ip,nw_proto=6')).toBe(
    'Datapath actions: set(ipv4(src=255.255.255.254)),2',
  );
});

test('a select group behind a popped label waits until the headers are read', async () => {
  const bucket = { bucketId: 0, weight: 1, watchPort: null, watchGroup: null };
  const mod = {
    command: 'add',
    type: 'select',
    groupId: 7,
    buckets: [{ ...bucket, actions: parseActions('2') }],
    commandBucketId: 0,
    selection: null,
    version: OfVersion.OF13,
  } as const;
  expect(applyGroupMod(br, mod)).toBeNull();
  add(br, 'pop_mpls:0x0800,group:7');
  expect(await last('in_port=1,mpls,mpls_label=1,mpls_bos=1')).toBe(
    'Datapath actions: pop_mpls(eth_type=0x800),recirc(0x1)',
  );
  // A number that nothing holds is not given to the next one.
  expect(await last('in_port=1,mpls,mpls_label=1,mpls_bos=1')).toMatch(/recirc\(0x2\)$/);
});

test('dpctl/dump-flows filter= shows what may take such frames', async () => {
  add(br, '2');
  lab.deliver(1, frame('02:00:00:00:00:01', '02:00:00:00:00:02', '-', 0x0800));
  lab.deliver(3, frame('02:00:00:00:00:01', '02:00:00:00:00:02', '-', 0x1234));
  const shown = async (filter: string) =>
    [...(await run('dpctl/dump-flows', `filter=${filter}`)).matchAll(/in_port\((\d)\)/g)].map(
      ([, port]) => port,
    );
  expect(await shown('in_port=1')).toEqual(['1']);
  expect(await shown('dl_type=0x1234')).toEqual(['3']);
  expect(await shown('ip,nw_dst=1.2.3.4')).toEqual(['1']);
  await expect(run('dpctl/dump-flows', 'filter=xyzzy=1')).rejects.toThrow(/Failed to parse filter/);
});
