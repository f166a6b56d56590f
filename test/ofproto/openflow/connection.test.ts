/** Connections over the real socket of a bridge: handshake, order, roles, bundles, asynchronous messages, misbehaving peers. */
import { statSync } from 'node:fs';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MATCH_ALL, MatchBuilder } from '../../../src/flowtable/match.ts';
import { ofPort } from '../../../src/flowtable/of-port.ts';
import type { Message, MessageOf } from '../../../src/ofproto/codec/messages.ts';
import { OF10, OF13, OF14 } from '../../../src/ofproto/codec/versions.ts';
import { type FlowMod, NO_BUFFER, NO_FLAGS } from '../../../src/ofproto/model.ts';
import { ANY_FLOW, applyFlowMod } from '../../../src/ofproto/tables/flow-mods.ts';
import { METADATA } from '../../../src/packet/key.ts';
import { presentBit, presentWord } from '../../../src/packet/tlv-table.ts';
import { until } from '../../ovsdb/support/until.ts';
import { Bench, DEFAULTS, Peer } from './peer.ts';

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.close());

const add = (change: Partial<FlowMod> = {}): Message => ({
  kind: 'flowMod',
  flowMod: {
    command: 'add',
    tableId: 0,
    priority: 5,
    match: MATCH_ALL,
    actions: [{ kind: 'output', port: ofPort(1), maxBytes: 0 }],
    newCookie: 1n,
    cookie: 0n,
    cookieMask: 0n,
    idleTimeoutSeconds: 0,
    hardTimeoutSeconds: 0,
    importance: 0,
    bufferId: NO_BUFFER,
    outPort: null,
    outGroup: null,
    flags: NO_FLAGS,
    version: OF13,
    ...change,
  },
});

const TYPE_ECHO_REPLY = 3;

const flows = (): number => bench.bridge.tables.reduce((sum, table) => sum + table.size, 0);

describe('a connection', () => {
  test('has sockets for its owner only, which go with the bridge', () => {
    for (const name of ['mgmt', 'snoop']) {
      expect(statSync(`${bench.runDir}/br0.${name}`).mode & 0o077).toBe(0);
    }
    bench.of.close();
    expect(() => statSync(`${bench.runDir}/br0.mgmt`)).toThrow();
  });

  test('is refused when no version is common, by an error that says so', async () => {
    bench.of.configure({ ...DEFAULTS, versions: [OF13] });
    const peer = new Peer(connect(`${bench.runDir}/br0.mgmt`), OF10);
    peer.send({ kind: 'hello', bitmap: 1 << OF10 });
    await until(() => peer.isClosed);
    expect(peer.kinds.at(-1)).toBe('error OFPHFC_INCOMPATIBLE');
  });

  test('answers errors and barriers in the order of the messages', async () => {
    const peer = await bench.tool(OF13);
    peer.send(add({ tableId: 254 }));
    peer.send({ kind: 'echoRequest', data: new Uint8Array([1, 2]) });
    peer.send(add({ bufferId: 77 }));
    expect(await peer.barrier()).toEqual([
      'error OFPBRC_EPERM',
      'echoReply',
      'error OFPBRC_BUFFER_UNKNOWN',
      'barrierReply',
    ]);
  });

  test('finishes a long answer before the next, however slowly it is read', async () => {
    const peer = await bench.tool(OF13);
    const count = 12_000;
    for (let i = 0; i < count; i++) {
      const match = new MatchBuilder().set(METADATA, i).build();
      applyFlowMod(bench.bridge, (add({ match }) as MessageOf<'flowMod'>).flowMod);
    }
    peer.socket.pause();
    const filter = { ...ANY_FLOW, tableId: 255 };
    peer.send({ kind: 'flowStatsRequest', filter });
    const xid = peer.send({ kind: 'echoRequest', data: new Uint8Array(0) });
    peer.socket.resume();
    await until(() => peer.raw.at(-1)?.[1] === TYPE_ECHO_REPLY);
    const last = peer.received.at(-1);
    expect(last?.xid).toBe(xid);
    let flowCount = 0;
    for (const one of peer.received) {
      if (one.ok && one.message.kind === 'flowStatsReply') flowCount += one.message.entries.length;
    }
    expect(flowCount).toBe(count);
  });

  test('maps options of tunnels to fields, and keeps those that flows use', async () => {
    const peer = await bench.tool(OF13);
    const map = { optionClass: 0xffff, optionType: 1, optionLength: 4, index: 3 };
    const mod = (command: 'add' | 'delete' | 'clear', ...maps: (typeof map)[]): Message => ({
      kind: 'tlvTableMod',
      command,
      maps,
    });
    peer.send(mod('add', map));
    peer.send(mod('add', map));
    peer.send(mod('add', { ...map, index: 4 }));
    peer.send(mod('add', { ...map, index: 4, optionLength: 128 }));
    peer.send(mod('add', { ...map, index: 64 }));
    expect(await peer.barrier()).toEqual([
      'error NXTTMFC_ALREADY_MAPPED',
      'error NXTTMFC_DUP_ENTRY',
      'error NXTTMFC_BAD_OPT_LEN',
      'error NXTTMFC_BAD_FIELD_IDX',
      'barrierReply',
    ]);
    const field = bench.bridge.tlvTable.place(3);
    expect(field).toMatchObject({ length: 4 });
    const match = new MatchBuilder().set(presentWord(3), presentBit(3), presentBit(3)).build();
    expect(applyFlowMod(bench.bridge, (add({ match }) as MessageOf<'flowMod'>).flowMod)).toBeNull();
    peer.send(mod('delete', map));
    peer.send(mod('clear'));
    expect(await peer.barrier()).toEqual([
      'error NXTTMFC_INVALID_TLV_DEL',
      'error NXTTMFC_INVALID_TLV_DEL',
      'barrierReply',
    ]);
    bench.bridge.flushFlows();
    peer.send(mod('clear'));
    expect(await peer.barrier()).toEqual(['barrierReply']);
    expect(bench.bridge.tlvTable.maps()).toEqual([]);
  });

  test('says how many flows were changed when it ends', async () => {
    const peer = await bench.tool(OF13);
    peer.send(add());
    peer.send(add({ priority: 6 }));
    peer.send(add({ command: 'delete', bufferId: NO_BUFFER }));
    await peer.barrier();
    peer.socket.destroy();
    await until(() => bench.logs.lines.some((text) => text.includes('3 flow_mods')));
    const said = bench.logs.lines.find((text) => text.includes('flow_mods'));
    expect(said).toContain('3 flow_mods in the last 0 s (2 adds, 1 deletes)');
  });

  test('refuses messages that only switches send, and goes on', async () => {
    const peer = await bench.tool(OF13);
    peer.send({ kind: 'barrierReply' });
    expect(await peer.barrier()).toEqual(['error OFPBRC_BAD_TYPE', 'barrierReply']);
  });

  test('ends at a header that is too short, and only this connection', async () => {
    const other = await bench.tool(OF13);
    const peer = await bench.tool(OF13);
    peer.socket.write(Buffer.from([4, 2, 0, 4, 0, 0, 0, 0]));
    await until(() => peer.isClosed);
    expect(await other.barrier()).toEqual(['barrierReply']);
  });

  test('ends when the peer does not answer the probe', async () => {
    const peer = await bench.tool(OF13);
    bench.lab.clock.advance(60_000);
    await until(() => peer.kinds.includes('echoRequest'));
    bench.lab.clock.advance(60_000);
    await until(() => peer.isClosed);
    expect(bench.logs.has('no response to inactivity probe after 60 seconds')).toBe(true);
  });
});

describe('roles', () => {
  const role = (name: 'primary' | 'secondary', generationId: bigint): Message => ({
    kind: 'roleRequest',
    role: name,
    generationId,
  });

  test('make a secondary read-only', async () => {
    const peer = await bench.tool(OF13);
    peer.send(role('secondary', 1n));
    peer.send(add());
    expect(await peer.barrier()).toEqual([
      'roleReply',
      'error OFPBRC_IS_SECONDARY',
      'barrierReply',
    ]);
    expect(flows()).toBe(0);
  });

  test('pass from one primary to the next, who tells the first', async () => {
    const first = await bench.tool(OF14);
    const second = await bench.tool(OF14);
    first.send(role('primary', 1n));
    await first.barrier();
    second.send(role('primary', 2n));
    await second.barrier();
    await until(() => first.kinds.includes('roleStatus'));
    first.send(role('primary', 1n));
    expect((await first.barrier()).at(-2)).toBe('error OFPRRFC_STALE');
  });
});

describe('bundles', () => {
  const control = (type: 'openRequest' | 'closeRequest' | 'commitRequest', flags = 3): Message => ({
    kind: 'bundleControl',
    bundleId: 1,
    type,
    flags,
    properties: new Uint8Array(0),
  });

  const added = async (peer: Peer, message: Message): Promise<void> => {
    const { encodeMessage } = await import('../../../src/ofproto/codec/messages.ts');
    const xid = 7;
    const bundled = encodeMessage(message, { version: peer.version }, xid);
    const properties = new Uint8Array(0);
    peer.socket.write(
      encodeMessage(
        { kind: 'bundleAdd', bundleId: 1, flags: 3, bundled, properties },
        { version: peer.version },
        xid,
      ),
    );
  };

  test('change nothing before they are committed, then all', async () => {
    const peer = await bench.tool(OF14);
    peer.send(control('openRequest'));
    await added(peer, add({ version: OF14 }));
    await added(peer, add({ version: OF14, priority: 6 }));
    await peer.barrier();
    expect(flows()).toBe(0);
    peer.send(control('commitRequest'));
    expect(await peer.barrier()).toEqual(['bundleControl', 'barrierReply']);
    expect(flows()).toBe(2);
  });

  test('change nothing when one message fails, which is told besides the bundle', async () => {
    const peer = await bench.tool(OF14);
    peer.send(add({ version: OF14, priority: 9 }));
    peer.send(control('openRequest'));
    await added(peer, add({ version: OF14 }));
    await added(peer, add({ version: OF14, command: 'delete' }));
    await added(peer, add({ version: OF14, actions: [{ kind: 'group', groupId: 99 }] }));
    await peer.barrier();
    peer.send(control('commitRequest'));
    expect(await peer.barrier()).toEqual([
      'error OFPBAC_BAD_OUT_GROUP',
      'error OFPBFC_MSG_FAILED',
      'barrierReply',
    ]);
    expect(flows()).toBe(1);
  });

  test('end with their first mistake', async () => {
    const peer = await bench.tool(OF14);
    peer.send(control('openRequest'));
    peer.send(control('closeRequest', 1));
    peer.send(control('commitRequest'));
    expect(await peer.barrier()).toEqual([
      'bundleControl',
      'error OFPBFC_BAD_FLAGS',
      'error OFPBFC_BAD_ID',
      'barrierReply',
    ]);
  });

  test('are forgotten when nobody adds to them', async () => {
    const peer = await bench.tool(OF14);
    peer.send(control('openRequest'));
    await peer.barrier();
    bench.lab.clock.advance(20_000);
    peer.send(control('commitRequest'));
    expect(await peer.barrier()).toEqual([
      'error OFPBFC_TIMEOUT',
      'error OFPBFC_BAD_ID',
      'barrierReply',
    ]);
  });
});

describe('asynchronous messages', () => {
  test('go to tools only once they have asked', async () => {
    const peer = await bench.tool(OF13);
    await bench.lab.port(bench.bridge, 'p1', 1);
    expect(await peer.barrier()).toEqual(['barrierReply']);
    peer.send({
      kind: 'setConfig',
      fragments: 'normal',
      invalidTtlToController: false,
      missSendLength: 128,
    });
    await peer.barrier();
    await bench.lab.port(bench.bridge, 'p2', 2);
    expect(await peer.barrier()).toEqual(['portStatus', 'portStatus', 'barrierReply']);
  });
});
