/** The database client with the real ovsdb-server: transactions, restarts, rivals for the lock. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ClientOptions, OvsdbClient } from '../../src/ovsdb/client.ts';
import type { ReplicaChange } from '../../src/ovsdb/replica.ts';
import { Transaction } from '../../src/ovsdb/transaction.ts';
import { DatabaseServer } from './support/database-server.ts';
import { fastClock } from './support/fast-clock.ts';
import { LogRecorder } from './support/log-recorder.ts';
import { until } from './support/until.ts';

describe('OvsdbClient with the real ovsdb-server', () => {
  let server: DatabaseServer;
  let log: LogRecorder;
  const clients: OvsdbClient[] = [];

  function client(options: Partial<ClientOptions> = {}): OvsdbClient {
    const made = new OvsdbClient({
      target: server.target,
      clock: fastClock,
      logs: log,
      pid: 4321,
      ...options,
    });
    clients.push(made);
    made.start();
    return made;
  }

  /** Names of the bridges as the replica has them. */
  const bridges = (c: OvsdbClient) =>
    [...c.db.rows('Bridge').values()].map((row) => row.name).sort();

  beforeEach(async () => {
    log = new LogRecorder();
    server = new DatabaseServer();
    await server.start();
  });
  afterEach(async () => {
    for (const made of clients.splice(0)) made.stop();
    await server.remove();
  });

  it('waits for the root row of an empty database, as ovs-vswitchd does, and creates none', async () => {
    const c = client();
    await until(() => c.mayAct);
    expect(c.db.root()).toBeNull();
    expect(c.schemaVersion).toMatch(/^\d+\.\d+\.\d+$/);
    let changes = 0;
    c.on('changed', () => changes++);
    server.vsctl('init');
    await until(() => c.db.root() !== null);
    expect(changes).toBe(1);
    expect(log.lines).toEqual([
      `reconnect|INFO|${server.target}: connecting...`,
      `reconnect|INFO|${server.target}: connected`,
    ]);
  });

  it('sees what ovs-vsctl does as one change per transaction', async () => {
    server.vsctl('init');
    const c = client();
    await until(() => c.mayAct);
    const seen: ReplicaChange[] = [];
    c.on('changed', (change) => seen.push(change));
    server.vsctl('add-br', 'br0', '--', 'add-port', 'br0', 'p1', 'tag=7');
    await until(() => bridges(c).includes('br0'));
    expect(seen).toHaveLength(1);
    expect(seen[0].rows.map((row) => `${row.kind} ${row.table}`).sort()).toEqual([
      'insert Bridge',
      'insert Interface',
      'insert Interface',
      'insert Port',
      'insert Port',
      'modify Open_vSwitch',
    ]);
    expect([...c.db.rows('Port').values()].map((row) => [row.name, row.tag]).sort()).toEqual([
      ['br0', null],
      ['p1', 7],
    ]);
  });

  it('writes columns, and single keys of maps that it shares with users', async () => {
    server.vsctl(
      'add-br',
      'br0',
      '--',
      'set',
      'bridge',
      'br0',
      'other_config:user=keep',
      'other_config:old=x',
    );
    const c = client();
    await until(() => c.mayAct);
    const [bridge] = c.db.rows('Bridge').values();
    const transaction = new Transaction()
      .update('Bridge', bridge.uuid, { datapath_id: '00000000deadbeef' })
      .update('Bridge', bridge.uuid, { datapath_version: '<built-in>' })
      .setKeys(
        'Bridge',
        bridge.uuid,
        'other_config',
        new Map([
          ['ours', 'new'],
          ['old', 'y'],
        ]),
      );
    expect(transaction.operations).toHaveLength(2);
    expect(await c.transact(transaction.operations)).toMatchObject({ ok: true });
    // The replica has the effect by the time of the reply.
    expect(c.db.row('Bridge', bridge.uuid)?.datapath_id).toBe('00000000deadbeef');
    expect(server.vsctl('get', 'bridge', 'br0', 'other_config')).toBe(
      '{old=y, ours=new, user=keep}',
    );
    await c.transact(
      new Transaction().deleteKeys('Bridge', bridge.uuid, 'other_config', ['ours']).operations,
    );
    expect(server.vsctl('get', 'bridge', 'br0', 'other_config')).toBe('{old=y, user=keep}');
  });

  it('inserts rows that refer to one another', async () => {
    server.vsctl('init');
    const c = client();
    await until(() => c.mayAct);
    const root = c.db.root()?.uuid ?? '';
    const t = new Transaction();
    const iface = t.insert('Interface', { name: 'br9', type: 'internal' });
    const port = t.insert('Port', { name: 'br9', interfaces: [iface] });
    const bridge = t.insert('Bridge', { name: 'br9', ports: [port] });
    t.update('Open_vSwitch', root, { bridges: [bridge] }).comment('made by a test');
    expect(await c.transact(t.operations)).toMatchObject({ ok: true });
    expect(server.vsctl('list-br')).toBe('br9');
  });

  it('returns errors as values: a conflict, a constraint, a bad operation', async () => {
    server.vsctl('add-br', 'br0');
    const c = client();
    await until(() => c.mayAct);
    const [bridge] = c.db.rows('Bridge').values();
    const root = c.db.root()?.uuid ?? '';
    const guarded = new Transaction()
      .expect('Bridge', bridge.uuid, { datapath_type: 'other' })
      .update('Bridge', bridge.uuid, { datapath_type: 'netdev' });
    expect(await c.transact(guarded.operations)).toMatchObject({ ok: false, reason: 'conflict' });
    const port = [...c.db.rows('Port').values()][0];
    const tag = new Transaction().update('Port', port.uuid, { tag: 4096 });
    expect(await c.transact(tag.operations)).toMatchObject({ ok: false, reason: 'failed' });
    const broken = { op: 'nonsense', table: 'Bridge' };
    expect(await c.transact([broken])).toMatchObject({ ok: false, reason: 'failed' });
    expect(
      await c.transact(new Transaction().update('Open_vSwitch', root, { cur_cfg: 1 }).operations),
    ).toMatchObject({ ok: true });
    expect(c.db.row('Bridge', bridge.uuid)?.datapath_type).toBe('');
  });

  it.each<[string, NodeJS.Signals]>([
    ['stops', 'SIGTERM'],
    ['is killed', 'SIGKILL'],
  ])('keeps its state while the server %s, and follows it again afterwards', async (_, signal) => {
    server.vsctl('add-br', 'br0');
    const c = client();
    await until(() => c.mayAct);
    const events: string[] = [];
    c.on('connected', () => events.push('connected'));
    c.on('disconnected', () => events.push('disconnected'));
    c.on('locked', () => events.push('locked'));
    c.on('unlocked', () => events.push('unlocked'));
    c.on('changed', (change) => events.push(change.initial ? 'initial' : 'changed'));
    await server.kill(signal);
    await until(() => !c.isConnected);
    expect(bridges(c)).toEqual(['br0']);
    const root = c.db.root()?.uuid ?? '';
    expect(
      await c.transact(new Transaction().update('Open_vSwitch', root, { cur_cfg: 5 }).operations),
    ).toEqual({
      ok: false,
      reason: 'refused',
      error: 'not connected',
    });
    await until(() => log.has('waiting 4 seconds before reconnect'));
    await server.start();
    await until(() => c.mayAct);
    server.vsctl('add-br', 'br1');
    await until(() => bridges(c).includes('br1'));
    expect(events).toEqual([
      'unlocked',
      'disconnected',
      'connected',
      'locked',
      'initial',
      'changed',
    ]);
    const name = server.target;
    expect(log.lines.slice(2, 7)).toEqual([
      `reconnect|INFO|${name}: connection closed by peer`,
      `reconnect|INFO|${name}: connecting...`,
      `reconnect|INFO|${name}: connection attempt failed (No such file or directory)`,
      `reconnect|INFO|${name}: waiting 2 seconds before reconnect`,
      `reconnect|INFO|${name}: connecting...`,
    ]);
  });

  it('answers a transaction that the death of the server interrupts', async () => {
    server.vsctl('init');
    const c = client();
    await until(() => c.mayAct);
    const root = c.db.root()?.uuid ?? '';
    const dying = server.kill('SIGKILL');
    const answers = Array.from({ length: 50 }, (_, i) =>
      c.transact(new Transaction().update('Open_vSwitch', root, { cur_cfg: i }).operations),
    );
    await dying;
    for (const answer of await Promise.all(answers)) expect(typeof answer.ok).toBe('boolean');
  });

  it('does not act while another process has the lock, and takes over when that goes', async () => {
    server.vsctl('init');
    const first = client();
    await until(() => first.mayAct);
    const second = client();
    await until(() => second.isContended && second.isConnected);
    expect(second.mayAct).toBe(false);
    expect(log.lines.filter((line) => line.includes('another ovs-vswitchd'))).toEqual([
      'bridge|ERR|another ovs-vswitchd process is running, disabling this process (pid 4321) until it goes away',
    ]);
    const root = second.db.root()?.uuid ?? '';
    const write = new Transaction().update('Open_vSwitch', root, { cur_cfg: 5 });
    expect(await second.transact(write.operations)).toMatchObject({ ok: false, reason: 'refused' });
    let locked = 0;
    second.on('locked', () => locked++);
    first.stop();
    await until(() => second.mayAct);
    expect(locked).toBe(1);
    expect(await second.transact(write.operations)).toMatchObject({ ok: true });
  });

  it('works over TCP, on IPv6 too', async () => {
    await server.kill();
    const port = 20_000 + (process.pid % 20_000);
    await server.start(`ptcp:${port}:[::1]`);
    const c = client({ target: `tcp:[::1]:${port}` });
    await until(() => c.mayAct);
    // Several probe intervals of silence, to which the server answers.
    const before = log.lines.length;
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(c.mayAct).toBe(true);
    expect(log.lines.length).toBe(before);
  });

  it('tolerates a schema without columns that it knows and with ones that it does not', async () => {
    await server.remove();
    server = new DatabaseServer((schema) => {
      delete schema.tables.Interface.columns.link_resets;
      schema.tables.Port.columns.tag = { type: 'string' };
      schema.tables.Bridge.columns.brand_new = { type: 'string' };
    });
    await server.start();
    const c = client();
    await until(() => c.mayAct);
    server.vsctl('init');
    await until(() => c.db.root() !== null);
    expect(c.db.hasColumn('Interface', 'link_resets')).toBe(false);
    expect(c.db.hasColumn('Port', 'tag')).toBe(false);
    expect(c.db.hasColumn('Port', 'trunks')).toBe(true);
    expect(log.has('Port.tag')).toBe(true);
  });
});
