/**
 * The options of a tunnel interface, read and checked (ovs-vswitchd.conf.db(5), Tunnel Options). Pure: a mistake is a text, in
 * the words in which Open vSwitch says it.
 *
 * Addresses are four words, IPv4 as ::ffff:a.b.c.d, so that there is one kind of them.
 */
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from '../packet/address-text.ts';
import { isTunnelType, TUNNEL_TYPES, type TunnelType } from './tunnel-types.ts';

export type Address = readonly [number, number, number, number];
/** null: not given, so any. */
type MaybeAddress = Address | 'flow' | null;

/** Which frames the port takes: Ethernet only, layer 3 only, or both, told apart by packet_type. */
export type PacketTypeMode = 'legacy_l2' | 'legacy_l3' | 'ptap';

export interface TunnelKey {
  /** Given at all: a header with room for a key has one. */
  readonly present: boolean;
  /** Taken from, or matched by, the flow's tun_id. */
  readonly flow: boolean;
  readonly value: bigint;
}

export interface TunnelConfig {
  readonly type: TunnelType;
  readonly remote: Address | 'flow';
  readonly local: MaybeAddress;
  readonly inKey: TunnelKey;
  readonly outKey: TunnelKey;
  /** 0 without UDP. */
  readonly dstPort: number;
  readonly ttl: number | 'inherit';
  readonly tos: number | 'inherit';
  readonly df: boolean;
  readonly csum: boolean;
  readonly seq: boolean;
  /** VXLAN group policy (exts=gbp), and VXLAN-GPE (exts=gpe). */
  readonly gbp: boolean;
  readonly gpe: boolean;
  readonly egressPktMark: number | null;
  readonly packetType: PacketTypeMode;
  readonly erspan: ErspanConfig;
}

/** null: not given. */
interface ErspanConfig {
  readonly version: number | 'flow' | null;
  readonly index: number | 'flow' | null;
  readonly direction: number | 'flow' | null;
  readonly hardwareId: number | 'flow' | null;
}

export type TunnelParse =
  | { readonly ok: true; readonly config: TunnelConfig; readonly warnings: readonly string[] }
  /** All complaints, one a line. */
  | { readonly ok: false; readonly error: string };

const DEFAULT_TTL = 64;
const DSCP_MASK = 0xfc;
const MAPPED = 0xffff;
const NO_KEY: TunnelKey = { present: false, flow: false, value: 0n };

export const isIpv4 = (address: Address): boolean =>
  address[0] === 0 && address[1] === 0 && address[2] === MAPPED;

/** An IPv4 or IPv6 address; undefined for any other text. */
export function parseAddress(text: string): Address | undefined {
  const ipv4 = parseIpv4(text);
  if (ipv4 !== undefined) return [0, 0, MAPPED, ipv4];
  return parseIpv6(text) as Address | undefined;
}

export const formatAddress = (address: Address): string =>
  isIpv4(address) ? formatIpv4(address[3]) : formatIpv6(address, 0);

const isMulticast = (address: Address): boolean =>
  isIpv4(address) ? address[3] >>> 28 === 0xe : address[0] >>> 24 === 0xff;

/** strtol(3) with base 0, as far as the text goes. */
const number = (text: string): number => {
  const got = /^\s*[-+]?(0[xX][0-9a-fA-F]+|\d+)/.exec(text)?.[1] ?? '0';
  return /^0[0-7]+$/.test(got) ? Number.parseInt(got, 8) : Number(got);
};

const isWholeNumber = (text: string): boolean => /^\s*[-+]?(0[xX][0-9a-fA-F]+|\d+)$/.test(text);

export function parseTunnel(
  name: string,
  type: string,
  options: Readonly<Record<string, string>>,
): TunnelParse {
  if (!isTunnelType(type)) return { ok: false, error: `${name}: ${type} is no tunnel type` };
  return new Parser(name, type, options).parse();
}

class Parser {
  private readonly name: string;
  private readonly type: TunnelType;
  private readonly options: Readonly<Record<string, string>>;
  private readonly complaints: string[] = [];

  constructor(name: string, type: TunnelType, options: Readonly<Record<string, string>>) {
    this.name = name;
    this.type = type;
    this.options = options;
  }

  parse(): TunnelParse {
    const { type, options } = this;
    const row = TUNNEL_TYPES[type];
    const extensions = this.extensions();
    const isErspan = type === 'erspan' || type === 'ip6erspan';
    this.unknown(isErspan);
    const remote = this.address('remote_ip');
    if (remote === undefined) return this.refused();
    const local = this.address('local_ip');
    const gpe = extensions.has('gpe');
    const carries = gpe ? 'both' : row.carries;
    const packetType = this.packetType(carries, gpe);
    if (packetType === null) return this.refused();
    if (remote === null) return this.refused(`${type} type requires valid 'remote_ip' argument`);
    if (local === 'flow' && remote !== 'flow') {
      return this.refused(`${type} type requires 'remote_ip=flow' with 'local_ip=flow'`);
    }
    if (local && local !== 'flow' && remote !== 'flow' && isIpv4(local) !== isIpv4(remote)) {
      return this.refused(`'remote_ip' and 'local_ip' has to be of the same address family`);
    }
    const udp = row.udpPort !== null;
    const config: TunnelConfig = {
      type,
      remote,
      local: local ?? null,
      inKey: this.key('in_key'),
      outKey: this.key('out_key'),
      dstPort: !udp
        ? 0
        : options.dst_port === undefined
          ? row.udpPort
          : number(options.dst_port) & 0xffff,
      ttl: options.ttl === 'inherit' ? 'inherit' : number(options.ttl ?? '') & 255 || DEFAULT_TTL,
      tos: this.tos(),
      df: options.df_default !== 'false',
      csum: row.hasChecksum && options.csum === 'true',
      seq: row.hasSequence && options.seq === 'true',
      gbp: extensions.has('gbp'),
      gpe,
      egressPktMark:
        options.egress_pkt_mark === undefined ? null : number(options.egress_pkt_mark) >>> 0,
      packetType,
      erspan: this.erspan(isErspan),
    };
    return { ok: true, config, warnings: this.complaints };
  }

  /** The last complaint ends it; those before belong to the text as well. */
  private refused(...last: readonly string[]): TunnelParse {
    for (const text of last) if (text !== '') this.complain(text);
    return { ok: false, error: this.complaints.join('\n') };
  }

  private complain(text: string): void {
    this.complaints.push(`${this.name}: ${text}`);
  }

  /** undefined for one that makes the tunnel impossible, null when there is none or a bad one. */
  private address(option: 'remote_ip' | 'local_ip'): MaybeAddress | undefined {
    const text = this.options[option];
    if (text === undefined) return null;
    if (text === 'flow') return 'flow';
    const address = parseAddress(text);
    if (address === undefined) {
      this.complain(`bad ${this.type} '${option}'`);
      return null;
    }
    if (option === 'remote_ip' && isMulticast(address)) {
      this.complain(`multicast remote_ip=${text} not allowed`);
      return undefined;
    }
    return address;
  }

  private key(option: 'in_key' | 'out_key'): TunnelKey {
    const text = this.options[option] ?? this.options.key;
    if (text === undefined) return NO_KEY;
    if (text === 'flow') return { present: true, flow: true, value: 0n };
    const got = /^\s*(0[xX][0-9a-fA-F]+|\d+)/.exec(text)?.[1] ?? '0';
    return { present: true, flow: false, value: BigInt.asUintN(64, BigInt(got)) };
  }

  private tos(): number | 'inherit' {
    const text = this.options.tos;
    if (text === undefined) return 0;
    if (text === 'inherit') return 'inherit';
    const value = number(text);
    if (isWholeNumber(text) && value === (value & DSCP_MASK)) return value;
    this.complain(`invalid TOS ${text}`);
    return 0;
  }

  private extensions(): ReadonlySet<string> {
    const found = new Set<string>();
    for (const name of (this.options.exts ?? '').split(/[, ]+/).filter((part) => part !== '')) {
      if (this.type === 'vxlan' && (name === 'gbp' || name === 'gpe')) found.add(name);
      else this.complain(`unknown extension '${name}'`);
    }
    return found;
  }

  private packetType(carries: 'l2' | 'l3' | 'both', gpe: boolean): PacketTypeMode | null {
    const natural = carries === 'l3' ? 'legacy_l3' : 'legacy_l2';
    const wanted = this.options.packet_type;
    if (wanted === undefined) return natural;
    if (wanted !== 'legacy_l2' && wanted !== 'legacy_l3' && wanted !== 'ptap') {
      this.complain(`unknown packet_type '${wanted}'`);
      return null;
    }
    const layer = wanted === 'legacy_l2' ? 'l2' : wanted === 'legacy_l3' ? 'l3' : null;
    if (layer === null || carries === 'both' || carries === layer) return wanted;
    const full = this.type === 'vxlan' ? (gpe ? 'VXLAN-GPE' : 'VXLAN (without GPE)') : this.type;
    this.complain(
      `${wanted} configured on ${full} tunnel that cannot carry ${layer.toUpperCase()} traffic`,
    );
    return null;
  }

  private erspan(isErspan: boolean): ErspanConfig {
    const given = (option: string): number | 'flow' | null => {
      const text = isErspan ? this.options[option] : undefined;
      return text === undefined ? null : text === 'flow' ? 'flow' : number(text);
    };
    const version = given('erspan_ver');
    const all = version === 'flow';
    return {
      version: isErspan ? (version ?? 0) : null,
      index: all ? 'flow' : given('erspan_idx'),
      direction: all ? 'flow' : given('erspan_dir'),
      hardwareId: all ? 'flow' : given('erspan_hwid'),
    };
  }

  private unknown(isErspan: boolean): void {
    for (const option of Object.keys(this.options).sort()) {
      if (KNOWN.has(option) || (isErspan && option.startsWith('erspan_'))) continue;
      this.complain(`unknown ${this.type} argument '${option}'`);
    }
  }
}

const KNOWN: ReadonlySet<string> = new Set([
  ...['remote_ip', 'local_ip', 'key', 'in_key', 'out_key', 'tos', 'ttl', 'df_default', 'csum'],
  ...['seq', 'dst_port', 'exts', 'egress_pkt_mark', 'packet_type'],
  // For ovs-monitor-ipsec: encryption is the kernel's.
  ...['psk', 'remote_cert', 'remote_name', 'local_name', 'ipsec_encapsulation'],
]);

/** `remote_ip=1.2.3.4, ttl=1`: what differs from the defaults, sorted, as dpif/show has it. */
export function tunnelConfigText(config: TunnelConfig): string {
  const parts: string[] = [];
  const add = (name: string, value: string | number): void => void parts.push(`${name}=${value}`);
  const address = (value: Address | 'flow'): string =>
    value === 'flow' ? 'flow' : formatAddress(value);
  const { inKey, outKey, type, erspan } = config;
  if (config.remote !== null) add('remote_ip', address(config.remote));
  if (config.local !== null) add('local_ip', address(config.local));
  if (inKey.flow && outKey.flow) add('key', 'flow');
  else if (
    inKey.present &&
    outKey.present &&
    !inKey.flow &&
    !outKey.flow &&
    inKey.value === outKey.value
  ) {
    add('key', inKey.value.toString());
  } else {
    if (inKey.present) add('in_key', inKey.flow ? 'flow' : inKey.value.toString());
    if (outKey.present) add('out_key', outKey.flow ? 'flow' : outKey.value.toString());
  }
  if (config.ttl !== DEFAULT_TTL) add('ttl', config.ttl);
  if (config.tos === 'inherit') add('tos', 'inherit');
  else if (config.tos !== 0) add('tos', `0x${config.tos.toString(16)}`);
  const { udpPort } = TUNNEL_TYPES[type];
  if (udpPort !== null && config.dstPort !== udpPort) add('dst_port', config.dstPort);
  if (config.csum) add('csum', 'true');
  if (config.seq) add('seq', 'true');
  if (!config.df) add('df_default', 'false');
  if (config.egressPktMark !== null) add('egress_pkt_mark', config.egressPktMark);
  const natural = TUNNEL_TYPES[type].carries === 'l3' ? 'legacy_l3' : 'legacy_l2';
  if (config.packetType !== natural) add('packet_type', config.packetType);
  if (erspan.version !== null) add('erspan_ver', erspan.version);
  const hex = (value: number | 'flow'): string =>
    value === 'flow' ? value : `0x${value.toString(16)}`;
  if (erspan.index !== null) add('erspan_idx', hex(erspan.index));
  if (erspan.direction !== null) add('erspan_dir', erspan.direction);
  if (erspan.hardwareId !== null) add('erspan_hwid', hex(erspan.hardwareId));
  return parts.sort().join(', ');
}

/** Name of the datapath port that tunnels like this share. */
export function tunnelPortName({ type, dstPort }: TunnelConfig): string {
  const { portName, udpPort } = TUNNEL_TYPES[type];
  return udpPort === null ? portName : `${portName}_${dstPort}`;
}
