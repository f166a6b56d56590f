/** A server that speaks garbage in every phase: the client logs, starts anew, and works once the server does. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OvsdbClient } from '../../src/ovsdb/client.ts';
import { isObject, type Json, type JsonObject, JsonStream } from '../../src/ovsdb/json-stream.ts';
import { Transaction } from '../../src/ovsdb/transaction.ts';
import { fastClock } from './support/fast-clock.ts';
import { LogRecorder } from './support/log-recorder.ts';
import { until } from './support/until.ts';

const ROOT = '00000000-0000-0000-0000-000000000001';
const SCHEMA: Json = {
  name: 'Open_vSwitch',
  version: '8.3.1',
  tables: {
    Open_vSwitch: { columns: { next_cfg: { type: 'integer' }, cur_cfg: { type: 'integer' } } },
  },
};

/** What a correct server answers. */
function answer(method: Json, params: Json): Json {
  switch (method) {
    case 'get_schema':
      return SCHEMA;
    case 'lock':
      return { locked: true };
    case 'monitor':
      return { Open_vSwitch: { [ROOT]: { new: { next_cfg: 7, cur_cfg: 0 } } } };
    case 'transact':
      return (params as Json[]).slice(1).map(() => ({ count: 1 }));
    default:
      return null;
  }
}

type Behaviour = (socket: Socket, request: JsonObject) => void;

const correct: Behaviour = (socket, request) => {
  socket.write(
    JSON.stringify({ id: request.id, result: answer(request.method, request.params), error: null }),
  );
};

/** Correct but for one method's result. */
const wrongResult =
  (method: string, result: Json): Behaviour =>
  (socket, request) => {
    if (request.method !== method) return correct(socket, request);
    socket.write(JSON.stringify({ id: request.id, result, error: null }));
  };

/** Correct, and after the initial state writes these bytes. */
const thenBytes =
  (bytes: string | Uint8Array): Behaviour =>
  (socket, request) => {
    correct(socket, request);
    if (request.method === 'monitor') socket.write(bytes);
  };

const notify = (method: string, params: Json) => JSON.stringify({ id: null, method, params });
const update = (updates: Json) => notify('update', ['ts-vswitch', updates]);

describe('OvsdbClient with a server that speaks garbage', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tsv-garbage-'));
  const path = join(directory, 'sock');
  const sockets = new Set<Socket>();
  let server: Server;
  let behaviour: Behaviour;
  let connections: number;
  let log: LogRecorder;
  let client: OvsdbClient;

  beforeEach(async () => {
    connections = 0;
    behaviour = correct;
    log = new LogRecorder();
    server = createServer((socket) => {
      connections++;
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', () => {});
      const stream = new JsonStream();
      socket.on('data', (chunk) => {
        for (const request of stream.push(chunk)) behaviour(socket, request);
      });
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    client = new OvsdbClient({ target: `unix:${path}`, clock: fastClock, logs: log, pid: 1 });
  });
  afterEach(async () => {
    client.stop();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    rmSync(path, { force: true });
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it.each<[string, Behaviour]>([
    ['random bytes', (socket) => socket.write(randomBytes(10_000))],
    ['an HTTP reply', (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['half an object and the end', (socket) => socket.end('{"id":1,"resu')],
    [
      'a line of 100 MB',
      (socket) => {
        socket.write('{"id":1,"result":"');
        const block = Buffer.alloc(1 << 20, 0x61);
        for (let i = 0; i < 100; i++) socket.write(block);
      },
    ],
    ['nesting without end', (socket) => socket.write('{"a":'.repeat(100_000))],
    ['an array', (socket) => socket.write('[]')],
    ['an object that is no message', (socket) => socket.write('{"hello":"world"}')],
    [
      'an error for every request',
      (socket, request) =>
        socket.write(JSON.stringify({ id: request.id, result: null, error: 'no' })),
    ],
    ['a schema that is none', wrongResult('get_schema', [1, 2, 3])],
    [
      'the schema of something else',
      wrongResult('get_schema', { name: 'x', version: '1', tables: {} }),
    ],
    ['a lock reply that is none', wrongResult('lock', 'yes')],
    ['an initial state that is none', wrongResult('monitor', 'everything')],
    [
      'an initial state with a wrong type',
      wrongResult('monitor', { Open_vSwitch: { [ROOT]: { new: { next_cfg: 'seven' } } } }),
    ],
    ['an update of an unknown table', thenBytes(update({ Nonsense: { [ROOT]: { new: {} } } }))],
    [
      'an update of a row that does not exist',
      thenBytes(update({ Open_vSwitch: { x: { old: {}, new: { next_cfg: 8 } } } })),
    ],
    [
      'an update with a wrong type',
      thenBytes(update({ Open_vSwitch: { [ROOT]: { old: {}, new: { next_cfg: {} } } } })),
    ],
    ['an update that nobody asked for', thenBytes(notify('update', ['other', {}]))],
    ['params that are no array', thenBytes('{"id":null,"method":"update","params":5}')],
    ['garbage right behind the initial state', thenBytes(']]]]')],
  ])('survives %s and works once the server does', async (_, garbage) => {
    behaviour = garbage;
    client.start();
    await until(() => connections >= 2);
    behaviour = correct;
    await until(() => client.mayAct);
    expect(client.db.root()?.next_cfg).toBe(7);
    expect(
      await client.transact(
        new Transaction().update('Open_vSwitch', ROOT, { cur_cfg: 7 }).operations,
      ),
    ).toMatchObject({ ok: true });
  });

  it('ignores replies with ids that it never used, and unknown notifications', async () => {
    behaviour = (socket, request) => {
      socket.write('{"id":99999,"result":{},"error":null}{"id":"x","result":[],"error":null}');
      socket.write('{"id":null,"method":"whatever","params":[{}]}');
      correct(socket, request);
    };
    client.start();
    await until(() => client.mayAct);
    expect(connections).toBe(1);
  });

  it('answers echo, and refuses other requests of the server', async () => {
    const replies: JsonObject[] = [];
    behaviour = (socket, request) => {
      if (request.method === undefined) {
        replies.push(request);
        return;
      }
      correct(socket, request);
      if (request.method !== 'monitor') return;
      socket.write(
        '{"id":"e1","method":"echo","params":["hello"]}{"id":7,"method":"steal","params":[]}',
      );
    };
    client.start();
    await until(() => replies.length === 2);
    expect(replies[0]).toEqual({ id: 'e1', result: ['hello'], error: null });
    expect(isObject(replies[1]) && replies[1].error).toBe('unknown method');
  });

  it('takes results of a transaction that are none as a failure', async () => {
    behaviour = wrongResult('transact', 'done');
    client.start();
    await until(() => client.mayAct);
    expect(await client.transact([])).toMatchObject({ ok: false, reason: 'failed' });
  });

  it('stops writing when its lock is stolen', async () => {
    let link: Socket | null = null;
    behaviour = (socket, request) => {
      link = socket;
      correct(socket, request);
    };
    client.start();
    await until(() => client.mayAct);
    (link as Socket | null)?.write(notify('stolen', ['ovs_vswitchd']));
    await until(() => !client.mayAct);
    expect(await client.transact([])).toMatchObject({ ok: false, reason: 'refused' });
    (link as Socket | null)?.write(notify('locked', ['ovs_vswitchd']));
    await until(() => client.mayAct);
  });

  it('asserts the lock in every transaction', async () => {
    let operations: Json = null;
    behaviour = (socket, request) => {
      if (request.method === 'transact') operations = request.params;
      correct(socket, request);
    };
    client.start();
    await until(() => client.mayAct);
    await client.transact(new Transaction().comment('x').operations);
    expect(operations).toEqual([
      'Open_vSwitch',
      { op: 'comment', comment: 'x' },
      { op: 'assert', lock: 'ovs_vswitchd' },
    ]);
  });

  it('forgets a lock that it had on an earlier connection', async () => {
    client.start();
    await until(() => client.mayAct);
    behaviour = wrongResult('lock', { locked: false });
    for (const socket of sockets) socket.destroy();
    await until(() => connections === 2 && client.isConnected);
    expect(client.mayAct).toBe(false);
    expect(client.isContended).toBe(true);
  });

  it('disconnects from a TCP server that has fallen silent', async () => {
    const silent = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
    });
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const target = `tcp:127.0.0.1:${address.port}`;
    const impatient = new OvsdbClient({ target, clock: fastClock, logs: log, pid: 1 });
    impatient.start();
    await until(() => log.has('no response to inactivity probe after 5 seconds, disconnecting'));
    impatient.stop();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => silent.close(resolve));
  });

  it('quietens its log when the server stays away', async () => {
    await new Promise((resolve) => server.close(resolve));
    client.start();
    await until(() =>
      log.has('continuing to reconnect in the background but suppressing further logging'),
    );
    const said = log.lines.length;
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(log.lines.length).toBe(said);
    server.listen(path);
    await until(() => client.mayAct);
  });
});
