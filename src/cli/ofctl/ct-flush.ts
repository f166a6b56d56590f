/** ct-flush and ct-flush-zone: connections to be forgotten, by zone and by the addresses of either direction (ovs-ofctl(8)). */
import { parseIpv4, parseIpv6 } from '../../packet/address-text.ts';
import type { Command, CommandTable } from './command.ts';
import { modify } from './dump.ts';
import { fail } from './ofctl-error.ts';

/** Properties of the message: tuples of the two directions, and the zone. */
const TUPLES = [0, 1];
const ZONE = 2;

/** What a tuple may hold, by type; addresses of IPv4 are mapped into IPv6. */
const PARTS: Readonly<Record<string, { readonly type: number; readonly bytes: number }>> = {
  ct_nw_src: { type: 0, bytes: 16 },
  ct_ipv6_src: { type: 0, bytes: 16 },
  ct_nw_dst: { type: 1, bytes: 16 },
  ct_ipv6_dst: { type: 1, bytes: 16 },
  ct_tp_src: { type: 2, bytes: 2 },
  ct_tp_dst: { type: 3, bytes: 2 },
  icmp_id: { type: 4, bytes: 2 },
  icmp_type: { type: 5, bytes: 1 },
  icmp_code: { type: 6, bytes: 1 },
};

interface Tuple {
  readonly proto: number;
  readonly bytes: readonly number[];
}

const split = (value: number, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, i) => (value / 256 ** (bytes - 1 - i)) & 0xff);

/** A property, filled to whole 8 bytes. */
function property(type: number, body: readonly number[]): number[] {
  const bytes = [...split(type, 2), ...split(body.length + 4, 2), ...body];
  return [...bytes, ...new Array<number>((8 - (bytes.length % 8)) % 8).fill(0)];
}

/** Nested properties begin at whole 8 bytes. */
const nested = (type: number, body: readonly number[]): number[] => [
  ...split(type, 2),
  ...split(body.length + 8, 2),
  ...[0, 0, 0, 0],
  ...body,
];

const bad = (what: string): never => fail(`Failed to parse ct-tuple: ${what}`);

function numberOf(key: string, text: string, bytes: number): number {
  const value = Number(text);
  const isOne = /^(0x[0-9a-f]+|\d+)$/i.test(text) && value < 256 ** bytes;
  return isOne ? value : bad(`failed to parse field ${key}`);
}

function addressOf(key: string, text: string): number[] {
  if (key.startsWith('ct_nw')) {
    const address = parseIpv4(text);
    if (address === undefined) return bad(`failed to parse field ${key}`);
    return [...new Array<number>(10).fill(0), 0xff, 0xff, ...split(address, 4)];
  }
  const parts = parseIpv6(text) ?? bad(`failed to parse field ${key}`);
  return [...parts].flatMap((part) => split(part >>> 0, 4));
}

function tupleOf(text: string): Tuple {
  const bytes: number[] = [];
  let proto = 0;
  let family: string | undefined;
  for (const word of text.split(/[,\s]+/).filter((one) => one !== '')) {
    const [key, value = ''] = word.split('=', 2);
    if (key === 'ct_nw_proto') {
      proto = numberOf(key, value, 1);
      continue;
    }
    const part = PARTS[key] ?? bad(`invalid conntrack tuple field: ${key}`);
    if (part.bytes !== 16) {
      bytes.push(...property(part.type, split(numberOf(key, value, part.bytes), part.bytes)));
      continue;
    }
    const itsFamily = key.startsWith('ct_nw') ? 'ipv4' : 'ipv6';
    const address = addressOf(key, value);
    if (family !== undefined && family !== itsFamily) {
      bad(`the L3 protocol does not match ${value}`);
    }
    family = itsFamily;
    bytes.push(...property(part.type, address));
  }
  return { proto, bytes };
}

const zoneOf = (text: string): number | undefined => {
  const zone = Number(text);
  return /^(0x[0-9a-f]+|\d+)$/i.test(text) && zone <= 0xffff ? zone : undefined;
};

const ctFlush: Command = {
  least: 1,
  most: 4,
  usage: 'SWITCH [zone=ZONE] [CT_ORIG_TUPLE [CT_REPLY_TUPLE]]',
  async run(shell, [target, ...words]) {
    const zoneText = words[0]?.startsWith('zone=') ? words.shift() : undefined;
    const zone =
      zoneText === undefined
        ? undefined
        : (zoneOf(zoneText.slice(5)) ?? fail('Failed to parse zone'));
    if (words.length > TUPLES.length) fail('Invalid arguments');
    const tuples = words.map(tupleOf);
    const protos = tuples.map(({ proto }) => proto).filter((proto) => proto !== 0);
    if (new Set(protos).size > 1) bad('the L4 protocols of the tuples differ');
    const properties = [
      ...tuples.flatMap(({ bytes }, i) => (bytes.length === 0 ? [] : nested(TUPLES[i], bytes))),
      ...(zone === undefined ? [] : property(ZONE, split(zone, 2))),
    ];
    const session = await shell.open(target);
    await modify(shell, session, [
      () =>
        session.send({
          kind: 'ctFlush',
          ipProto: protos[0] ?? 0,
          properties: Uint8Array.from(properties),
        }),
    ]);
    return undefined;
  },
};

const ctFlushZone: Command = {
  least: 2,
  most: 2,
  usage: 'SWITCH ZONE',
  async run(shell, [target, text]) {
    const zone = zoneOf(text) ?? fail(`invalid zone_id "${text}"`);
    const session = await shell.open(target);
    await modify(shell, session, [() => session.send({ kind: 'ctFlushZone', zone })]);
    return undefined;
  },
};

export const ctCommands: CommandTable = { 'ct-flush': ctFlush, 'ct-flush-zone': ctFlushZone };
