/** The ct action and the nat within, as ovs-actions(7) writes them. */
import type { Action, NatAction } from '../../flowtable/action.ts';
import { namedField } from '../codec/match-fields.ts';
import { parseSubfield, parseValue } from './match-syntax.ts';
import {
  fault,
  integer,
  type NameLookup,
  options,
  smallNumber,
  tableOf,
  type Word,
  words,
} from './syntax.ts';

const ALL_TABLES = 255;

/** `10.0.0.1-10.0.0.9:100-200`, `[fe80::1]-[fe80::9]:5`. */
function natRange(text: string): Partial<NatAction> {
  const found =
    /^(?:\[([^\]]+)\](?:-\[([^\]]+)\])?|(\d[\d.]*)(?:-([\d.]+))?)(?::(\d+)(?:-(\d+))?)?$/.exec(
      text,
    ) ??
    /^([0-9a-fA-F:]+)(?:-([0-9a-fA-F:]+))?$/.exec(text) ??
    fault(`${text}: invalid nat range`);
  const [, min6, max6, min4, max4, minPort, maxPort] = found;
  const f = namedField(min4 === undefined ? 'ipv6_src' : 'ip_src');
  const address = (one: string | undefined): bigint | null =>
    one === undefined ? null : parseValue(f, one).value;
  const [least, most] = [address(min4 ?? min6), address(max4 ?? max6)];
  if (least !== null && most !== null && least > most) fault(`invalid nat range "${text}"`);
  return {
    family: min4 === undefined ? 'ipv6' : 'ipv4',
    minAddress: least,
    maxAddress: most,
    minPort: minPort === undefined ? null : smallNumber(minPort, 'port'),
    maxPort: maxPort === undefined ? null : smallNumber(maxPort, 'port'),
  };
}

export function nat(text: string | null): NatAction {
  const args = options(text);
  if (args.has('src') && args.has('dst')) fault('May only specify one of "src" or "dst".');
  if (args.has('hash') && args.has('random')) fault('Both "hash" and "random" are not allowed.');
  const direction = args.has('src') ? 'src' : args.has('dst') ? 'dst' : null;
  const range = direction === null ? '' : (args.get(direction) ?? '');
  return {
    kind: 'nat',
    direction,
    persistent: args.has('persistent'),
    hash: args.has('hash'),
    random: args.has('random'),
    family: null,
    minAddress: null,
    maxAddress: null,
    minPort: null,
    maxPort: null,
    ...(range === '' ? {} : natRange(range)),
  };
}

function zoneOf(text: string): number {
  const value = integer(text);
  return value !== null && value <= 0xffffn
    ? Number(value)
    : fault(`${text}: unknown field \`${text}'`);
}

const ALGS: Readonly<Record<string, number>> = { ftp: 21, tftp: 69 };

function ctTable(text: string, names: NameLookup): number {
  const table = tableOf(text, names);
  return table === ALL_TABLES ? fault('invalid table 0xff') : table;
}

const CT_WORDS = ['commit', 'force', 'table', 'zone', 'nat', 'exec', 'alg'];

/** `exec` reads the actions that the connection's entry is changed by. */
export function ct(w: Word, names: NameLookup, exec: (text: string) => readonly Action[]): Action {
  const list = words(w.value ?? '');
  const bad = list.find(({ key }) => !CT_WORDS.includes(key));
  if (bad !== undefined) fault(`invalid argument to "ct" action: \`${bad.key}'`);
  const valueIn = (key: string): string | undefined =>
    list.find((one) => one.key === key)?.value ?? undefined;
  const says = (key: string): boolean => list.some((one) => one.key === key);
  const zone = valueIn('zone');
  const table = valueIn('table');
  const alg = valueIn('alg');
  if (says('force') && !says('commit')) fault('"force" flag requires "commit" flag.');
  return {
    kind: 'ct',
    commit: says('commit'),
    force: says('force'),
    zone: zone === undefined ? 0 : /^[\dx]/.test(zone) ? zoneOf(zone) : parseSubfield(zone),
    table: table === undefined ? null : ctTable(table, names),
    alg: alg === undefined ? 0 : (ALGS[alg] ?? fault(`invalid conntrack helper "${alg}"`)),
    actions: [
      ...(says('nat') ? [nat(valueIn('nat') ?? null)] : []),
      ...exec(valueIn('exec') ?? 'drop'),
    ],
  };
}
