/** The text of TNL_PUSH (program.ts): `tnl_push(tnl_port(4789),header(size=50,type=4,...),out_port(100))`, as Open vSwitch writes it. */
import { formatIpv4, formatIpv6, formatMac } from '../packet/address-text.ts';
import { FULL, hex, hex0 } from '../packet/flow-fields-text.ts';
import { DP_WORDS, TUN_OPTIONS, TUN_OPTIONS_LENGTH } from '../packet/key.ts';
import { ETH_HEADER_BYTES, ETH_TYPE_IPV4 } from '../packet/protocol.ts';
import { formatOptions } from '../packet/tunnel-options-text.ts';
import {
  Encapsulation,
  OUTER_IPV4_BYTES,
  OUTER_IPV6_BYTES,
  OUTER_UDP_BYTES,
} from '../tunnels/outer-header.ts';

const GRE_C = 0x8000;
const GRE_K = 0x2000;
const GRE_S = 0x1000;

/** `program[at]` is the action's head. */
export function tunnelPushText(
  program: ArrayLike<number>,
  at: number,
  portName: ((port: number) => string | undefined) | undefined,
): string {
  const name = (port: number): string | number => portName?.(port) ?? port;
  const size = program[at + 5];
  const view = new DataView(new ArrayBuffer((size + 3) & ~3));
  for (let i = 0; 4 * i < size; i++) view.setUint32(4 * i, program[at + 6 + i]);
  const type = program[at + 3];
  const parts = [
    `size=${size}`,
    `type=${type}`,
    `eth(dst=${mac(view, 0)},src=${mac(view, 6)},dl_type=0x${digits(view.getUint16(12))})`,
  ];
  let inner = ETH_HEADER_BYTES;
  if (view.getUint16(12) === ETH_TYPE_IPV4) {
    parts.push(ipv4(view, inner));
    inner += OUTER_IPV4_BYTES;
  } else {
    parts.push(ipv6(view, inner));
    inner += OUTER_IPV6_BYTES;
  }
  parts.push(...(ENCAPSULATIONS[type]?.(view, inner, size) ?? []));
  return `tnl_push(tnl_port(${name(program[at + 1])}),header(${parts.join(',')}),out_port(${name(program[at + 2])}))`;
}

const digits = (value: number): string => value.toString(16).padStart(4, '0');
const mac = (view: DataView, at: number): string =>
  formatMac(view.getUint32(at), view.getUint16(at + 4));

const ipv4 = (view: DataView, at: number): string =>
  `ipv4(src=${formatIpv4(view.getUint32(at + 12))},dst=${formatIpv4(view.getUint32(at + 16))},proto=${view.getUint8(at + 9)}` +
  `,tos=${hex(view.getUint8(at + 1))},ttl=${view.getUint8(at + 8)},frag=${hex0(view.getUint16(at + 6))})`;

function ipv6(view: DataView, at: number): string {
  const words = Array.from({ length: 8 }, (_, i) => view.getUint32(at + 8 + 4 * i));
  const head = view.getUint32(at);
  return (
    `ipv6(src=${formatIpv6(words, 0)},dst=${formatIpv6(words, 4)},label=${head & 0xfffff},proto=${view.getUint8(at + 6)}` +
    `,tclass=${hex0((head >>> 20) & 255)},hlimit=${view.getUint8(at + 7)})`
  );
}

const udp = (view: DataView, at: number): string =>
  `udp(src=${view.getUint16(at)},dst=${view.getUint16(at + 2)},csum=${hex0(view.getUint16(at + 6))})`;

type Encapsulated = (view: DataView, at: number, size: number) => string[];

const vxlan: Encapsulated = (view, at) => {
  const to = at + OUTER_UDP_BYTES;
  const vni = view.getUint32(to + 4) >>> 8;
  return [udp(view, at), `vxlan(flags=${hex0(view.getUint32(to))},vni=${hex0(vni)})`];
};

const geneve: Encapsulated = (view, at, size) => {
  const to = at + OUTER_UDP_BYTES;
  const flags = view.getUint8(to + 1);
  const fields = [`vni=${hex0(view.getUint32(to + 4) >>> 8)}`];
  if ((flags & 0x40) !== 0) fields.unshift('crit');
  if ((flags & 0x80) !== 0) fields.unshift('oam');
  const options = size - to - 8;
  if (options > 0) {
    const key = new Uint32Array(DP_WORDS);
    key[TUN_OPTIONS_LENGTH] = options;
    for (let i = 0; 4 * i < options; i++) key[TUN_OPTIONS + i] = view.getUint32(to + 8 + 4 * i);
    fields.push(`options(${formatOptions({ key, mask: FULL, verbose: false })})`);
  }
  return [udp(view, at), `geneve(${fields.join(',')})`];
};

const gre: Encapsulated = (view, at) => {
  const flags = view.getUint16(at);
  const fields = [`(flags=${hex0(flags)},proto=${hex0(view.getUint16(at + 2))})`];
  let next = at + 4;
  if ((flags & GRE_C) !== 0) {
    fields.push(`csum=${hex0(view.getUint16(next))}`);
    next += 4;
  }
  for (const [flag, name] of [
    [GRE_K, 'key'],
    [GRE_S, 'seq'],
  ] as const) {
    if ((flags & flag) === 0) continue;
    fields.push(`${name}=${hex0(view.getUint32(next))}`);
    next += 4;
  }
  return [`gre(${fields.join(',')})`];
};

const erspan: Encapsulated = (view, at) => {
  const head = view.getUint32(at + 8);
  const session = hex0(head & 0x3ff);
  if (head >>> 28 === 1) {
    return [`erspan(ver=1,sid=${session},idx=${hex0(view.getUint32(at + 12))})`];
  }
  const low = view.getUint16(at + 18);
  const hardwareId = (((low >>> 8) & 3) << 4) | ((low >>> 4) & 15);
  return [`erspan(ver=2,sid=${session},dir=${(low >>> 3) & 1},hwid=${hex0(hardwareId)})`];
};

const ENCAPSULATIONS: Readonly<Record<number, Encapsulated>> = {
  [Encapsulation.VXLAN]: vxlan,
  [Encapsulation.GENEVE]: geneve,
  [Encapsulation.GRE]: gre,
  [Encapsulation.IP6GRE]: gre,
  [Encapsulation.ERSPAN]: erspan,
  [Encapsulation.IP6ERSPAN]: erspan,
};
