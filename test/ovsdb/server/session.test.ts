/** What sessions ask for beside transactions: monitors, locks, and what is refused. */
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../../src/ovsdb/json-stream.ts';
import { VSWITCH_SCHEMA } from '../../../src/ovsdb/server/vswitch-schema.ts';
import { Client, serve } from './support/served.ts';
import { insert, named, SMALL_SCHEMA, select } from './support/small-schema.ts';

const NEVER = '00000000-0000-0000-0000-000000000000';
const update = (row: JsonObject, where: Json[] = []): Json => ({
  op: 'update',
  table: 'Root',
  where,
  row,
});
const paramsOf = (client: Client): Json => client.notifications().map(({ params }) => params);

describe('the server', () => {
  it('tells of itself and its databases', () => {
    const { client, server } = serve(SMALL_SCHEMA);
    expect(client.call('list_dbs')).toEqual(['_Server', 'Open_vSwitch']);
    expect(client.call('get_server_id')).toBe(server.serverId);
    expect(client.call('echo', 1, 'x')).toEqual([1, 'x']);
    expect(client.call('set_db_change_aware', true)).toEqual({});
    expect(client.call('get_schema', 'Open_vSwitch')).toMatchObject({ name: 'Open_vSwitch' });
    const [{ rows }] = client.call(
      'transact',
      '_Server',
      select(
        'Database',
        [['name', '==', 'Open_vSwitch']],
        'model',
        'connected',
        'leader',
        'schema',
      ),
    ) as unknown as [{ rows: JsonObject[] }];
    expect(rows[0]).toMatchObject({ model: 'standalone', connected: true, leader: true });
    expect(JSON.parse(rows[0].schema as string)).toEqual(client.call('get_schema', 'Open_vSwitch'));
    const refused = client.call('transact', '_Server', {
      op: 'delete',
      table: 'Database',
      where: [],
    });
    expect(refused).toMatchObject([{ error: 'not allowed' }]);
  });

  it('answers what it does not know with an error', () => {
    const { client } = serve(SMALL_SCHEMA);
    const wrong: [string, Json[], string][] = [
      ['nonsense', [], '"unknown method"'],
      ['toString', [], '"unknown method"'],
      ['transact', [], 'transact request params must begin with <db-name>'],
      ['monitor', ['x'], 'monitor request specifies unknown database x'],
      ['monitor', ['Open_vSwitch'], 'invalid parameters'],
      ['monitor', ['Open_vSwitch', 'm', []], 'monitor-requests must be object'],
      ['monitor', ['Open_vSwitch', 'm', { None: {} }], 'no table named None'],
      [
        'monitor',
        ['Open_vSwitch', 'm', { Root: { columns: ['x'] } }],
        'x is not a valid column name',
      ],
      ['monitor', ['Open_vSwitch', 'm', { Root: { where: [] } }], "Member 'where' is present"],
      [
        'monitor_cond',
        ['Open_vSwitch', 'm', { Root: { where: [['x', '==', 1]] } }],
        'No column x in table Root.',
      ],
      ['monitor_cond_since', ['Open_vSwitch', 'm', {}, 5], 'last-txn-id must be string'],
      ['monitor_cond_since', ['Open_vSwitch', 'm', {}, 'x'], 'last-txn-id must be UUID format.'],
      ['monitor_cond_change', ['m', 'm', {}], 'unknown monitor session'],
      ['monitor_cancel', ['m'], '"unknown monitor"'],
      ['lock', ['a b'], 'lock request params must be <id>'],
      ['unlock', ['l'], 'without'],
      ['set_db_change_aware', [], 'true or false parameter expected'],
    ];
    for (const [method, params, text] of wrong)
      expect(() => client.call(method, ...params), method).toThrow(text.replaceAll('"', ''));
    expect(client.call('transact', 'Open_vSwitch')).toEqual([]);
  });

  it('finds messages that are none', () => {
    const { client } = serve(SMALL_SCHEMA);
    const { session } = client;
    for (const bad of [{}, { method: 5, params: [], id: 1 }, { method: 'echo', params: {}, id: 1 }])
      expect(session.receive(bad as unknown as JsonObject)).not.toBeNull();
    for (const good of [
      { id: 'echo', result: [], error: null },
      { method: 'x', params: [], id: null },
    ])
      expect(session.receive(good)).toBeNull();
  });
});

describe('monitor', () => {
  it('tells the present rows, then changes with old and new values', () => {
    const { client, server } = serve(SMALL_SCHEMA);
    const other = new Client(server);
    const [a] = other.transact(insert('Root', { name: 'a' })) as unknown as [
      { uuid: [string, string] },
    ];
    const uuid = a.uuid[1];
    expect(
      client.call('monitor', 'Open_vSwitch', 'm', { Root: { columns: ['name', 'number'] } }),
    ).toEqual({
      Root: { [uuid]: { new: { name: 'a', number: 0 } } },
    });
    other.transact(update({ number: 5 }), update({ flag: true }));
    expect(paramsOf(client)).toEqual([
      ['m', { Root: { [uuid]: { old: { number: 0 }, new: { name: 'a', number: 5 } } } }],
    ]);
    other.transact(update({ real: 1.5 }));
    expect(paramsOf(client)).toEqual([]);
    other.transact({ op: 'delete', table: 'Root', where: [] });
    expect(paramsOf(client)).toEqual([
      ['m', { Root: { [uuid]: { old: { name: 'a', number: 5 } } } }],
    ]);
    expect(client.call('monitor_cancel', 'm')).toEqual({});
    other.transact(insert('Root', { name: 'b' }));
    expect(paramsOf(client)).toEqual([]);
  });

  it('sends an effect before the answer to what caused it', () => {
    const { client } = serve(SMALL_SCHEMA);
    client.call('monitor', 'Open_vSwitch', null, { Root: {} });
    client.received.length = 0;
    client.transact(insert('Root', { name: 'a' }));
    expect(client.received.map(({ method }) => method)).toEqual(['update', undefined]);
  });

  it('obeys select', () => {
    const { client } = serve(SMALL_SCHEMA);
    const select = { initial: false, insert: false, delete: false };
    client.transact(insert('Root', { name: 'a' }));
    expect(
      client.call('monitor', 'Open_vSwitch', 'm', { Root: { columns: ['name'], select } }),
    ).toEqual({});
    client.transact(insert('Root', { name: 'b', number: 1 }));
    expect(paramsOf(client)).toEqual([]);
    client.transact(update({ name: 'c' }, [['number', '==', 1]]));
    expect(client.notifications()).toHaveLength(1);
  });
});

describe('monitor_cond', () => {
  const monitor = { Root: [{ columns: ['name', 'options'], where: [['number', '<', 5]] }] };

  it('tells rows that meet the condition, and differences', () => {
    const { client } = serve(SMALL_SCHEMA);
    const results = client.transact(
      insert('Root', {
        name: 'a',
        options: [
          'map',
          [
            ['x', '1'],
            ['y', '2'],
          ],
        ],
      }),
      insert('Root', { name: 'b', number: 9 }),
    ) as unknown as { uuid: [string, string] }[];
    const [a, b] = results.map(({ uuid }) => uuid[1]);
    expect(client.call('monitor_cond', 'Open_vSwitch', 'm', monitor)).toEqual({
      Root: {
        [a]: {
          initial: {
            name: 'a',
            options: [
              'map',
              [
                ['x', '1'],
                ['y', '2'],
              ],
            ],
          },
        },
      },
    });
    client.transact(
      update(
        {
          options: [
            'map',
            [
              ['y', '3'],
              ['z', '4'],
            ],
          ],
        },
        [['name', '==', 'a']],
      ),
    );
    expect(paramsOf(client)).toEqual([
      [
        'm',
        {
          Root: {
            [a]: {
              modify: {
                options: [
                  'map',
                  [
                    ['x', '1'],
                    ['y', '3'],
                    ['z', '4'],
                  ],
                ],
              },
            },
          },
        },
      ],
    ]);
    client.transact(update({ number: 2 }, [['name', '==', 'b']]));
    expect(paramsOf(client)).toEqual([['m', { Root: { [b]: { insert: { name: 'b' } } } }]]);
    client.transact(update({ number: 7 }, [['name', '==', 'b']]));
    expect(paramsOf(client)).toEqual([['m', { Root: { [b]: { delete: null } } }]]);
    const changed = client.call('monitor_cond_change', 'm', 'n', {
      Root: [{ where: [['name', '==', 'b']] }],
    });
    expect(changed).toEqual({});
    const [[id, updates]] = paramsOf(client) as [[string, { Root: JsonObject }]];
    expect(id).toBe('n');
    expect(updates).toEqual({ Root: { [a]: { delete: null }, [b]: { insert: { name: 'b' } } } });
  });
});

describe('monitor_cond_since', () => {
  it('tells a client that comes back what it missed', () => {
    const { client, server } = serve(SMALL_SCHEMA);
    client.transact(insert('Root', { name: 'a' }), insert('Root', { name: 'b', number: 1 }));
    const request = { Root: [{ columns: ['name'] }] };
    const [found, id] = client.call('monitor_cond_since', 'Open_vSwitch', 'm', request, NEVER) as [
      boolean,
      string,
    ];
    expect(found).toBe(false);
    client.transact(update({ name: 'x' }, [['number', '==', 1]]));
    const [[, last]] = paramsOf(client) as [[string, string]];
    expect(last).not.toBe(id);
    client.transact(
      update({ name: 'y' }, [['number', '==', 1]]),
      insert('Root', { name: 'c', number: 2 }),
    );
    client.transact({ op: 'delete', table: 'Root', where: [['number', '==', 2]] });
    client.session.close();

    const back = new Client(server);
    const [known, now, missed] = back.call(
      'monitor_cond_since',
      'Open_vSwitch',
      'm',
      request,
      id,
    ) as [boolean, string, { Root: JsonObject }];
    expect(known).toBe(true);
    expect(Object.values(missed.Root)).toEqual([{ modify: { name: 'y' } }]);
    const third = new Client(server);
    expect(third.call('monitor_cond_since', 'Open_vSwitch', 'm', request, now)).toEqual([
      true,
      now,
      {},
    ]);
    const [strange] = new Client(server).call(
      'monitor_cond_since',
      'Open_vSwitch',
      'm',
      request,
      '11111111-0000-4000-8000-000000000000',
    ) as [boolean];
    expect(strange).toBe(false);
  });
});

describe('locks', () => {
  it('pass from one session to the next, and can be stolen', () => {
    const { client: a, server } = serve(SMALL_SCHEMA);
    const [b, c] = [new Client(server), new Client(server)];
    expect(a.call('lock', 'l')).toEqual({ locked: true });
    expect(b.call('lock', 'l')).toEqual({ locked: false });
    expect(() => b.call('lock', 'l')).toThrow('must issue');
    expect(c.call('steal', 'l')).toEqual({ locked: true });
    expect(a.notifications()).toEqual([{ method: 'stolen', params: ['l'] }]);
    expect(a.transact({ op: 'assert', lock: 'l' })).toMatchObject([{ error: 'not owner' }]);
    c.session.close();
    expect(a.notifications()).toEqual([{ method: 'locked', params: ['l'] }]);
    expect(a.call('unlock', 'l')).toEqual({});
    expect(b.notifications()).toEqual([{ method: 'locked', params: ['l'] }]);
  });
});

describe('limits of a session', () => {
  it('refuse what is too much and go on', () => {
    const { server } = serve(SMALL_SCHEMA);
    const client = new Client(server, { maxMonitors: 1, maxWaiting: 1, maxLocks: 1 });
    client.call('monitor', 'Open_vSwitch', 1, {});
    expect(() => client.call('monitor', 'Open_vSwitch', 2, {})).toThrow('too many monitors');
    client.call('lock', 'a');
    expect(() => client.call('lock', 'b')).toThrow('too many locks');
    const wait: Json = { op: 'wait', table: 'Root', where: [], until: '!=', rows: [] };
    client.send('transact', 'Open_vSwitch', wait);
    expect(() => client.call('transact', 'Open_vSwitch', wait)).toThrow('too many waiting');
    expect(client.transact.bind(client, insert('Root', { child: named('x') }))).toThrow(
      'too many waiting',
    );
    client.session.close();
    expect(new Client(server).transact(insert('Root', { name: 'a' }))).toHaveLength(1);
    expect(client.received.filter(({ method }) => method === 'update')).toEqual([]);
  });
});

describe('convert', () => {
  const wider = (change: (schema: JsonObject) => void): JsonObject => {
    const schema = structuredClone(VSWITCH_SCHEMA);
    change(schema);
    return schema;
  };
  const columnsOf = (schema: JsonObject, table: string): JsonObject =>
    ((schema.tables as JsonObject)[table] as JsonObject).columns as JsonObject;

  it('carries the rows over, tells clients that are aware, and sends the others away', () => {
    const { server, client } = serve();
    const other = new Client(server);
    client.call('set_db_change_aware', true);
    const monitor = ['Open_vSwitch', 'm', { Open_vSwitch: { columns: ['next_cfg'] } }] as Json[];
    client.call('monitor', ...monitor);
    client.transact({ op: 'insert', table: 'Open_vSwitch', row: { next_cfg: 5 } });
    client.notifications();
    const wait = client.send('transact', 'Open_vSwitch', {
      op: 'wait',
      table: 'Open_vSwitch',
      where: [],
      columns: ['next_cfg'],
      until: '==',
      rows: [],
    });
    const schema = wider((it) => {
      columnsOf(it, 'Open_vSwitch').extra = { type: 'integer' };
      it.version = '9.0.0';
    });
    expect(client.call('convert', 'Open_vSwitch', schema)).toEqual({});
    expect(client.notifications()).toEqual([{ method: 'monitor_canceled', params: ['m'] }]);
    expect(client.replyTo(wait)).toMatchObject({ result: null, error: 'canceled' });
    expect([client.isSentAway, other.isSentAway]).toEqual([false, true]);
    const columns = ['next_cfg', 'extra'];
    expect(client.transact({ op: 'select', table: 'Open_vSwitch', where: [], columns })).toEqual([
      { rows: [{ next_cfg: 5, extra: 0 }] },
    ]);
    const [{ rows }] = client.call('transact', '_Server', {
      op: 'select',
      table: 'Database',
      where: [['name', '==', 'Open_vSwitch']],
      columns: ['schema'],
    }) as unknown as [{ rows: JsonObject[] }];
    expect(rows).toHaveLength(1);
    expect(rows[0].schema).toContain('"9.0.0"');
    expect(client.call('monitor', ...monitor)).toBeDefined();
  });

  it('changes nothing where the rows do not fit, or the schema is none', () => {
    const { client } = serve();
    client.transact({ op: 'insert', table: 'Open_vSwitch', row: { next_cfg: 5 } });
    const tight = wider((it) => {
      columnsOf(it, 'Open_vSwitch').next_cfg = {
        type: { key: { type: 'integer', maxInteger: 3 } },
      };
    });
    expect(() => client.call('convert', 'Open_vSwitch', tight)).toThrow(
      '5 is greater than maximum allowed value 3',
    );
    expect(() => client.call('convert', 'Open_vSwitch', {})).toThrow(
      "Parsing database schema failed: Required 'name' member is missing.",
    );
    const foreign = wider((it) => {
      it.name = 'Foo';
    });
    expect(() => client.call('convert', 'Open_vSwitch', foreign)).toThrow(
      'new schema name (Foo) does not match database name (Open_vSwitch)',
    );
    expect(
      client.transact({ op: 'select', table: 'Open_vSwitch', where: [], columns: ['next_cfg'] }),
    ).toEqual([{ rows: [{ next_cfg: 5 }] }]);
  });
});
