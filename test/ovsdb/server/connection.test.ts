/** What a peer can do wrong on a socket ends its own connection and nothing else; Manager rows open and close listeners. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../../src/ovsdb/json-stream.ts';
import { Connection } from '../../../src/ovsdb/server/connection.ts';
import { ManagerRemotes } from '../../../src/ovsdb/server/manager-remotes.ts';
import { Listener } from '../../../src/ovsdb/server/remote.ts';
import { fastClock } from '../support/fast-clock.ts';
import { LogRecorder } from '../support/log-recorder.ts';
import { until } from '../support/until.ts';
import { RawClient } from './support/raw-client.ts';
import { serve } from './support/served.ts';
import { insert, named, select } from './support/small-schema.ts';

let directory: string;
let logs: LogRecorder;
let close: (() => void)[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tsv-conn-'));
  logs = new LogRecorder();
  close = [];
});
afterEach(() => {
  for (const one of close) one();
  rmSync(directory, { recursive: true });
});

const LIMITS = {
  request: { maxBytes: 100_000, maxDepth: 20 },
  maxUnreadBytes: 10_000,
  maxUnsentBytes: 1_000_000,
};

/** A server with small limits on a socket of its own; `connections` are those that are open. */
async function listening() {
  const served = serve();
  const path = join(directory, 'db.sock');
  const connections = new Set<Connection>();
  const listener: Server = createServer((socket) => {
    const connection = new Connection({
      socket,
      name: 'test',
      server: served.server,
      clock: fastClock,
      log: logs.module('jsonrpc'),
      probeMs: 5000,
      limits: LIMITS,
      closed: () => connections.delete(connection),
    });
    connections.add(connection);
  });
  await new Promise<void>((resolve) => listener.listen(path, resolve));
  close.push(() => {
    listener.close();
    for (const connection of [...connections]) connection.close();
  });
  const open = (): Promise<RawClient> => RawClient.open(path);
  return { ...served, open, connections };
}

const canOpen = async (path: string): Promise<boolean> => {
  try {
    (await RawClient.open(path)).close();
    return true;
  } catch {
    return false;
  }
};

describe('a connection', () => {
  it.each([
    ['{"method":"echo","params":[},"id":1}', 'JSON'],
    ['hello', 'unexpected byte'],
    [`{"method":"echo","id":1,"params":${'['.repeat(50)}${']'.repeat(50)}}`, 'nested deeper'],
    [`{"method":"echo","id":1,"params":["${'x'.repeat(200_000)}"]}`, 'longer than'],
    ['{"id":null}', 'neither method nor id'],
    ['{"method":"echo","params":{},"id":1}', 'array'],
  ])('ends with an error after %.60s', async (text, why) => {
    const { open } = await listening();
    const [bad, good] = [await open(), await open()];
    bad.write(text);
    await bad.closed();
    expect(JSON.stringify(bad.messages)).toContain(why);
    expect(await good.request('echo', 'alive')).toMatchObject({ result: ['alive'] });
    good.close();
  });

  it('takes a request byte by byte', async () => {
    const { open } = await listening();
    const client = await open();
    for (const letter of '{"method":"echo","params":["ä"],"id":"x"}') client.write(letter);
    await client.until((messages) => messages.length > 0);
    expect(client.messages[0]).toEqual({ id: 'x', result: ['ä'], error: null });
    client.close();
  });

  it('of a client that stops reading is cut off, while others go on', async () => {
    const { open, connections, client } = await listening();
    const deaf = await open();
    await deaf.request('monitor', 'Open_vSwitch', 'm', { QoS: {} });
    deaf.pause();
    expect(connections.size).toBe(1);
    const blob = 'x'.repeat(50_000);
    for (let i = 0; i < 40; i++) client.transact(insert('QoS', { type: `${i}${blob}` }));
    await until(() => connections.size === 0);
    expect(logs.has('bytes unread, disconnecting')).toBe(true);
    deaf.close();
    const other = await open();
    expect(await other.request('list_dbs')).toMatchObject({ error: null });
    other.close();
  });

  it('that asks without reading is not read on, and loses nothing', async () => {
    const { open } = await listening();
    const client = await open();
    client.pause();
    const text = 'y'.repeat(20_000);
    for (let i = 0; i < 100; i++) client.send('echo', [text], i);
    client.resume();
    await client.until((messages) => messages.length === 100);
    expect(client.messages.map(({ id }) => id)).toEqual([...Array(100).keys()]);
    client.close();
  });

  it('of a silent peer is probed, and ends when there is no answer', async () => {
    const { open, connections } = await listening();
    const client = await open();
    await client.until((messages) => messages.length > 0);
    expect(client.messages[0]).toEqual({ method: 'echo', params: [], id: 'echo' });
    await client.closed();
    expect(connections.size).toBe(0);
    expect(logs.has('no response to inactivity probe after 5 seconds, disconnecting')).toBe(true);
  });
});

describe('Manager rows', () => {
  const manager = (target: string): Json[] => [
    { op: 'delete', table: 'Open_vSwitch', where: [] },
    insert('Manager', { target }, 'm'),
    insert('Open_vSwitch', { manager_options: named('m') }),
  ];

  it('open listeners, tell their state, and close them', async () => {
    const { server, hosted, client } = serve();
    const managers = new ManagerRemotes({
      server,
      hosted,
      clock: fastClock,
      logs,
      tls: () => null,
    });
    close.push(() => managers.close());
    client.transact(...manager('ptcp:0:127.0.0.1'));
    const row = (): JsonObject => {
      const columns = select('Manager', [], 'is_connected', 'status');
      return ((client.transact(columns)[0] as JsonObject).rows as JsonObject[])[0];
    };
    const portOf = (): string => /"bound_port","(\d+)"/.exec(JSON.stringify(row()))?.[1] ?? '';
    await until(() => portOf() !== '');
    const peer = await RawClient.open(Number(portOf()));
    expect(await peer.request('get_schema', 'Open_vSwitch')).toMatchObject({ error: null });
    await until(() => row().is_connected === true);
    const path = join(directory, 'm.sock');
    client.transact(...manager(`punix:${path}`));
    await peer.closed();
    await until(() => canOpen(path));
  });

  it('answer whoever takes its own listener away before they hang up', async () => {
    const { server, hosted, client } = serve();
    const path = join(directory, 'm.sock');
    const managers = new ManagerRemotes({
      server,
      hosted,
      clock: fastClock,
      logs,
      tls: () => null,
    });
    close.push(() => managers.close());
    client.transact(...manager(`punix:${path}`));
    await until(() => canOpen(path));
    const peer = await RawClient.open(path);
    const all: Json = { op: 'delete', table: 'Open_vSwitch', where: [] };
    expect(await peer.request('transact', 'Open_vSwitch', all)).toMatchObject({
      result: [{ count: 1 }],
    });
    await peer.closed();
  });

  it('connect to those who listen', async () => {
    const { server, hosted, client } = serve();
    const managers = new ManagerRemotes({
      server,
      hosted,
      clock: fastClock,
      logs,
      tls: () => null,
    });
    const path = join(directory, 'controller.sock');
    const heard: string[] = [];
    const listener = createServer((socket) => {
      socket.on('data', (data) => heard.push(String(data)));
      socket.on('error', () => undefined);
      socket.write('{"method":"list_dbs","params":[],"id":1}');
    });
    await new Promise<void>((resolve) => listener.listen(path, resolve));
    close.push(
      () => managers.close(),
      () => listener.close(),
    );
    client.transact(...manager(`unix:${path}`));
    await until(() => heard.join('').includes('Open_vSwitch'));
  });

  it('cannot have a file removed by its name, nor a daemon ended by nonsense', async () => {
    const { server, clock } = serve();
    const path = join(directory, 'precious');
    writeFileSync(path, 'x');
    const listener = new Listener({
      target: `punix:${path}`,
      server,
      clock,
      logs,
      tls: () => null,
    });
    await listener.ready;
    expect(logs.has('File exists')).toBe(true);
    for (const target of ['ptcp:99999', 'pssl:0', 'punix:']) {
      const other = new Listener({ target, server, clock, logs, tls: () => null });
      await other.ready;
      other.close();
    }
    listener.close();
  });
});
