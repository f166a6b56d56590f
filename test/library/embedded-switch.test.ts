import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SwitchError, type SwitchOptions } from '../../src/library/api.ts';
import { createSwitch } from '../../src/library/create-switch.ts';
import { decodeMessage, encodeMessage } from '../../src/ofproto/codec/messages.ts';
import { until } from '../ovsdb/support/until.ts';

const make = (options: SwitchOptions = {}) => {
  const vswitch = createSwitch(options);
  onTestFinished(() => vswitch.close());
  return vswitch;
};

const BROADCAST = 'ffffffffffff';
const [A, B] = ['020000000001', '020000000002'];
const frame = (to: string, from: string, type = '1234'): Uint8Array =>
  Buffer.from(`${to}${from}${type}${'5a'.repeat(46)}`, 'hex');
const hex = (frames: readonly Uint8Array[]): string[] =>
  frames.map((one) => Buffer.from(one).toString('hex'));

describe('an embedded switch', () => {
  it('learns addresses, and forgets them with time', async () => {
    const vswitch = make();
    const br0 = vswitch.addBridge('br0');
    const [one, two, three] = ['p1', 'p2', 'p3'].map((name) => br0.addPort(name));
    one.send(frame(BROADCAST, A));
    expect([one, two, three].map((port) => port.take().length)).toEqual([0, 1, 1]);
    two.send(frame(A, B));
    expect([one, two, three].map((port) => port.take().length)).toEqual([1, 0, 0]);
    expect(await vswitch.command('fdb/show', 'br0')).toMatch(/ 1 +0 +02:00:00:00:00:01 +0\n/);
    await vswitch.advance(301_000);
    expect(await vswitch.command('fdb/show', 'br0')).not.toContain('02:00');
    two.send(frame(A, B));
    expect([one, two, three].map((port) => port.take().length)).toEqual([1, 0, 1]);
    expect(two.counters()).toMatchObject({ rxPackets: 2, txPackets: 1 });
  });

  it('keeps VLANs apart, tags on trunks, and takes new settings at once', () => {
    const br0 = make().addBridge('br0');
    const [a, b] = [br0.addPort('a', { tag: 10 }), br0.addPort('b', { tag: 11 })];
    const trunk = br0.addPort('trunk', { trunks: [10] });
    a.send(frame(BROADCAST, A));
    b.send(frame(BROADCAST, B));
    expect(b.take()).toEqual([]);
    expect(hex(trunk.take())).toEqual([
      `${BROADCAST}${A}8100000a${hex([frame(BROADCAST, A)])[0].slice(24)}`,
    ]);
    b.configure({ tag: 10 });
    a.send(frame(BROADCAST, A));
    expect(hex(b.take())).toEqual(hex([frame(BROADCAST, A)]));
    b.setUp(false);
    a.send(frame(BROADCAST, A));
    expect(b.take()).toEqual([]);
    trunk.remove();
    expect(br0.port('trunk')).toBeNull();
    expect(() => trunk.send(frame(BROADCAST, A))).toThrow('removed');
    expect(() => br0.addPort('c', { tag: 5000 })).toThrow('VLAN 5000');
  });

  it('joins bridges by patch ports', () => {
    const vswitch = make();
    const [left, right] = [vswitch.addBridge('left'), vswitch.addBridge('right')];
    const [a, b] = [left.addPort('a'), right.addPort('b')];
    left.addPatchPort('to-right', 'to-left');
    right.addPatchPort('to-left', 'to-right');
    a.send(frame(BROADCAST, A));
    expect(b.take()).toHaveLength(1);
    expect(() => right.addPort('a')).toThrow('exists');
    right.remove();
    a.send(frame(BROADCAST, A));
    expect(b.take()).toHaveLength(0);
  });

  it('obeys flows, groups and meters in the language of ovs-ofctl', async () => {
    const vswitch = make();
    const br0 = vswitch.addBridge('br0', { failMode: 'secure' });
    const ports = ['p1', 'p2', 'p3'].map((name) => br0.addPort(name));
    const [one, two, three] = ports;
    one.send(frame(BROADCAST, A));
    expect(two.take()).toEqual([]);
    br0.addFlows(`
      # two tables
      table=0,priority=1,in_port=p1,actions=mod_vlan_vid:5,resubmit(,1)
      table=1,dl_vlan=5,actions=output:p2   # tagged
    `);
    one.send(frame(BROADCAST, A));
    expect(hex(two.take())[0].slice(24, 32)).toBe('81000005');
    br0.addGroup('group_id=7,type=all,bucket=actions=output:2,bucket=actions=strip_vlan,output:3');
    br0.modifyFlows('table=1,dl_vlan=5,actions=group:7');
    one.send(frame(BROADCAST, A));
    expect([two.take(), three.take()].map((f) => hex(f)[0].slice(24, 28))).toEqual([
      '8100',
      '1234',
    ]);
    br0.addMeter('meter=1 pktps bands=type=drop rate=1');
    br0.addFlow('table=1,priority=40000,actions=meter:1,output:3');
    for (let i = 0; i < 5; i++) one.send(frame(BROADCAST, A));
    expect(three.take().length).toBeLessThan(5);
    expect(br0.dumpFlows()).toEqual([
      'priority=1,in_port=1 actions=mod_vlan_vid:5,resubmit(,1)',
      'table=1, priority=40000 actions=meter:1,output:3',
      'table=1, dl_vlan=5 actions=group:7',
    ]);
    expect(br0.dumpFlows({ match: 'table=0', stats: true })[0]).toContain(
      'n_packets=7, n_bytes=420',
    );
    br0.deleteFlows('table=1');
    expect(br0.dumpFlows()).toHaveLength(1);
    expect(br0.trace('in_port=p1')).toContain('0. in_port=1, priority 1');
    one.send(frame(BROADCAST, A));
    expect(await vswitch.command('dpctl/dump-flows')).toContain('in_port(');
  });

  it('lets flows end by time', async () => {
    const vswitch = make();
    const br0 = vswitch.addBridge('br0', { failMode: 'secure' });
    const [one, two] = [br0.addPort('p1'), br0.addPort('p2')];
    br0.addFlow('hard_timeout=30,actions=output:2');
    br0.addFlow('priority=40000,in_port=2,idle_timeout=10,actions=output:1');
    for (let s = 0; s < 4; s++) {
      two.send(frame(A, B));
      await vswitch.advance(6000);
    }
    expect(one.take()).toHaveLength(4);
    expect(br0.dumpFlows()).toHaveLength(2);
    await vswitch.advance(7000);
    expect(br0.dumpFlows()).toEqual([]);
    expect(vswitch.now()).toBe(1_031_000);
  });

  it('hands frames to a controller and takes some from it', () => {
    const br0 = make().addBridge('br0', { failMode: 'secure' });
    const [one, two] = [br0.addPort('p1'), br0.addPort('p2')];
    br0.addFlow('cookie=0x2a,actions=controller(max_len=20)');
    const heard: unknown[] = [];
    const stop = br0.onPacketIn(({ frame: bytes, ...rest }) =>
      heard.push({ ...rest, bytes: bytes.length }),
    );
    one.send(frame(B, A));
    stop();
    one.send(frame(B, A));
    expect(heard).toEqual([
      { reason: 'action', tableId: 0, cookie: 42n, inPort: 1, maxBytes: 20, bytes: 60 },
    ]);
    const got: string[] = [];
    two.onFrame((bytes) => got.push(...hex([bytes])));
    br0.packetOut(frame(B, A), 'mod_dl_src:02:00:00:00:00:09,output:p2', 1);
    expect(got).toEqual(hex([frame(B, '020000000009')]));
  });

  it('speaks OpenFlow over a stream in memory', async () => {
    const br0 = make().addBridge('br0', { failMode: 'secure' });
    br0.addPort('p1');
    const stream = br0.connect();
    const [hello] = (await once(stream, 'data')) as [Buffer];
    expect(hello[1]).toBe(0);
    const context = { version: 4 as const };
    stream.write(encodeMessage({ kind: 'hello', bitmap: 1 << 4 }, context, 1));
    stream.write(encodeMessage({ kind: 'featuresRequest' }, context, 2));
    const [bytes] = (await once(stream, 'data')) as [Buffer];
    const reply = decodeMessage(bytes, context);
    expect(reply.ok && reply.message.kind).toBe('featuresReply');
    stream.destroy();
    await once(stream, 'close');
  });

  it('calls controllers, and is called by them', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tsv-library-'));
    const br0 = make().addBridge('br0', { failMode: 'secure' });
    const server = createServer();
    onTestFinished(() => {
      server.close();
      rmSync(folder, { recursive: true, force: true });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const called = once(server, 'connection') as Promise<[Socket]>;
    const { port } = server.address() as AddressInfo;
    br0.setControllers([`tcp:127.0.0.1:${port}`, `punix:${folder}/br0`]);
    const [socket] = await called;
    const [hello] = (await once(socket, 'data')) as [Buffer];
    expect(hello[1]).toBe(0);
    await until(async () => existsSync(`${folder}/br0`));
    const own = connect(`${folder}/br0`);
    const [answer] = (await once(own, 'data')) as [Buffer];
    expect(answer[1]).toBe(0);
    const ends = [once(own, 'close'), once(socket, 'close')];
    br0.setControllers([]);
    await Promise.all(ends);
    expect(existsSync(`${folder}/br0`)).toBe(false);
  });

  it('says what is wrong with texts, and changes nothing then', () => {
    const br0 = make().addBridge('br0', { failMode: 'secure' });
    expect(() => br0.addFlow('in_port=nowhere,actions=drop')).toThrow(SwitchError);
    expect(() => br0.addFlow('foo=1,actions=drop')).toThrow('unknown keyword foo');
    expect(() => br0.addFlows('actions=drop\nactions=foo')).toThrow('line 2: unknown action foo');
    expect(() => br0.addFlows('actions=drop\nactions=group:9')).toThrow('OFPBAC_BAD_OUT_GROUP');
    expect(() => br0.addGroup('group_id=1,type=foo')).toThrow('invalid group type');
    expect(() => br0.trace('nonsense')).toThrow(SwitchError);
    expect(br0.dumpFlows()).toEqual([]);
  });

  it('refuses unknown commands, a second bridge of a name, and to advance a real clock', async () => {
    const vswitch = make({ clock: 'real' });
    vswitch.addBridge('br0');
    expect(() => vswitch.addBridge('br0')).toThrow('exists');
    await expect(vswitch.command('nosuch')).rejects.toThrow('not a valid command');
    await expect(vswitch.advance(1)).rejects.toThrow('real clock');
  });
});
