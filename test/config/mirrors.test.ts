/** Mirror rows: what becomes of them, and what is said of those that cannot be. */
import { expect, test } from 'vitest';
import { wantedMirrors } from '../../src/config/mirrors.ts';
import { database, uuidOf } from './support/database.ts';

type Rows = NonNullable<Parameters<typeof database>[0]['Mirror']>;

const read = (mirrors: Rows) => {
  const db = database({
    Bridge: {
      br0: {
        name: 'br0',
        ports: ['p1', 'p2'].map(uuidOf),
        mirrors: Object.keys(mirrors).map(uuidOf),
      },
    },
    Port: { p1: { name: 'p1' }, p2: { name: 'p2' }, other: { name: 'other' } },
    Mirror: mirrors,
  });
  const said: string[] = [];
  const row = db.row('Bridge', uuidOf('br0'))!;
  const wanted = wantedMirrors(db, row, (level, message) => said.push(`${level} ${message}`));
  return { wanted, said };
};

test('a row becomes names of ports and numbers of VLANs', () => {
  const { wanted, said } = read({
    m: {
      name: 'm',
      select_src_port: [uuidOf('p1')],
      select_vlan: [12, 5],
      output_port: uuidOf('p2'),
      snaplen: 96,
    },
  });
  expect(said).toEqual([]);
  expect(wanted).toEqual([
    {
      id: uuidOf('m'),
      name: 'm',
      selectAll: false,
      sources: ['p1'],
      destinations: [],
      vlans: [5, 12],
      output: { port: 'p2' },
      snaplen: 96,
    },
  ]);
});

test('without output, or with one on another bridge, there is no mirror, and it is said', () => {
  const { wanted, said } = read({
    a: { name: 'a', select_all: true },
    b: { name: 'b', select_all: true, output_port: uuidOf('other') },
  });
  expect(wanted).toEqual([]);
  expect(said.sort()).toEqual([
    'err bridge br0: mirror a does not specify output; ignoring',
    'err bridge br0: mirror b outputs to port not on bridge',
  ]);
});

test('ports of other bridges and a second output are left out, and it is said', () => {
  const { wanted, said } = read({
    a: {
      name: 'a',
      select_src_port: [uuidOf('other'), uuidOf('p1')],
      output_port: uuidOf('p2'),
      output_vlan: 7,
    },
  });
  expect(wanted[0]).toMatchObject({ sources: ['p1'], output: { port: 'p2' } });
  expect(said).toEqual([
    'err bridge br0: mirror a specifies both output port and output vlan; ignoring output vlan',
    'warn bridge br0: mirror a cannot match on nonexistent port other',
  ]);
});
