/**
 * Reads the datapath flow syntax (flow-text.ts) into a key and a mask: `netdev-dummy/receive PORT FLOW` and tools.
 * A mistake is a value that quotes the flow from where it is wrong, as Open vSwitch does.
 */
import { parseIpv4, parseIpv6, parseMac } from './address-text.ts';
import { CT_STATE_NAMES, TCP_FLAG_NAMES, TUNNEL_FLAG_NAMES } from './flow-fields-text.ts';
import * as K from './key.ts';
import * as P from './protocol.ts';
import { parseOptions } from './tunnel-options-text.ts';

export type ParsedFlow =
  /**
   * DP_WORDS words each; the mask is complete for fields that were given without one, 0 for absent fields. The priority
   * has no place in a key of the datapath.
   */
  | { ok: true; key: Uint32Array; mask: Uint32Array; skbPriority: number }
  | { ok: false; error: string };

export interface FlowParseOptions {
  /** Number of the port with this name, for in_port(NAME). */
  portNumber?: (name: string) => number | undefined;
}

export function parseFlow(text: string, options: FlowParseOptions = {}): ParsedFlow {
  const parser = new FlowParser(options);
  const wrongAt = parser.list(text, 0, text.length, 0);
  if (wrongAt >= 0) return { ok: false, error: `syntax error at ${text.slice(wrongAt)}` };
  if (parser.key[K.ETH_TYPE_PROTO] >>> 16 === 0) {
    parser.key[K.ETH_TYPE_PROTO] |= parser.impliedType << 16;
  }
  const { key, mask, skbPriority } = parser;
  return { ok: true, key, mask, skbPriority };
}

/** Fields of a header: where each goes. A parser returns false for text that is not of its kind. */
type FieldReader = (value: string, mask: string | undefined) => boolean;

class FlowParser {
  readonly key = new Uint32Array(K.DP_WORDS);
  readonly mask = new Uint32Array(K.DP_WORDS);
  skbPriority = 0;
  /** Of a flow without eth_type(): ipv4() and ipv6() tell it. */
  impliedType: number = P.ETH_TYPE_NONE;
  private readonly options: FlowParseOptions;

  constructor(options: FlowParseOptions) {
    this.options = options;
  }

  /** Reads `name(...)` items in text[from, end). Returns where it fails, -1 for success. */
  list(text: string, from: number, end: number, depth: number): number {
    let at = from;
    for (;;) {
      while (at < end && ', \t\r\n'.includes(text[at])) at++;
      if (at >= end) return -1;
      const open = text.indexOf('(', at);
      if (open < 0 || open >= end) return at;
      const close = closing(text, open, end);
      if (close < 0) return at;
      const name = text.slice(at, open);
      if (name === 'encap') {
        if (depth >= 2 || (this.key[K.VLAN0 + depth] & K.VLAN_CFI) === 0) return at;
        const wrongAt = this.list(text, open + 1, close, depth + 1);
        if (wrongAt >= 0) return wrongAt;
      } else if (!this.item(name, text.slice(open + 1, close), depth)) return at;
      at = close + 1;
    }
  }

  private put(word: number, shift: number, full: number, value: number, mask = full): boolean {
    if (value < 0 || value > full || mask > full) return false;
    const clear = ~((full << shift) >>> 0);
    this.key[word] = (this.key[word] & clear) | (value << shift);
    this.mask[word] = (this.mask[word] & clear) | (mask << shift);
    return true;
  }

  private number(word: number, shift: number, full: number): FieldReader {
    return (value, mask) => {
      const v = parseNumber(value);
      const m = mask === undefined ? full : parseNumber(mask);
      return v !== undefined && m !== undefined && this.put(word, shift, full, v, m);
    };
  }

  private ipv4(word: number): FieldReader {
    return (value, mask) => {
      const v = parseIpv4(value);
      const m = mask === undefined ? 0xffffffff : parseIpv4(mask);
      return v !== undefined && m !== undefined && this.put(word, 0, 0xffffffff, v, m);
    };
  }

  private ipv6(word: number): FieldReader {
    return (value, mask) => {
      const v = parseIpv6(value);
      const m = mask === undefined ? [-1, -1, -1, -1] : parseIpv6(mask);
      if (v === undefined || m === undefined) return false;
      for (let i = 0; i < 4; i++) this.put(word + i, 0, 0xffffffff, v[i], m[i] >>> 0);
      return true;
    };
  }

  /** An address in two words, as flow-text's mac(). */
  private mac(first: number, second: number, lowFirst: boolean): FieldReader {
    return (value, mask) => {
      const v = parseMac(value);
      const m = mask === undefined ? [0xffffffff, 0xffff] : parseMac(mask);
      if (v === undefined || m === undefined) return false;
      if (lowFirst) {
        this.put(first, 0, 0xffff, v[0] >>> 16, m[0] >>> 16);
        const low = ((m[0] << 16) | m[1]) >>> 0;
        return this.put(second, 0, 0xffffffff, ((v[0] << 16) | v[1]) >>> 0, low);
      }
      this.put(first, 0, 0xffffffff, v[0], m[0]);
      return this.put(second, 16, 0xffff, v[1], m[1]);
    };
  }

  private readonly frag: FieldReader = (value, mask) => {
    const frag = { no: 0, first: K.FRAG_ANY, later: K.FRAG_ANY | K.FRAG_LATER }[value];
    return frag !== undefined && mask === undefined && this.put(K.ETH_TYPE_PROTO, 0, 3, frag);
  };

  private item(name: string, args: string, depth: number): boolean {
    const [value, maskText] = splitMask(args);
    switch (name) {
      case 'in_port': {
        const port = parseNumber(args) ?? this.options.portNumber?.(args);
        return port !== undefined && this.put(K.IN_PORT, 0, 0xffffffff, port);
      }
      case 'skb_priority':
        this.skbPriority = parseNumber(value) ?? 0;
        return parseNumber(value) !== undefined;
      case 'tunnel':
        return this.nested(args, (item, inside) => this.tunnelItem(item, inside));
      case 'skb_mark':
        return this.number(K.PKT_MARK, 0, 0xffffffff)(value, maskText);
      case 'recirc_id':
        return this.number(K.RECIRC_ID, 0, 0xffffffff)(value, maskText);
      case 'dp_hash':
        return this.number(K.DP_HASH, 0, 0xffffffff)(value, maskText);
      case 'ct_state':
        return this.flags(K.CT_STATE, 0, 0xff, args, CT_STATE_NAMES);
      case 'ct_zone':
        return this.number(K.CT_ZONE, 16, 0xffff)(value, maskText);
      case 'ct_mark':
        return this.number(K.CT_MARK, 0, 0xffffffff)(value, maskText);
      case 'ct_label':
        return this.wide(K.CT_LABEL, 4, value, maskText);
      case 'ct_tuple4':
        return readFields(args, {
          src: this.ipv4(K.CT_NW_SRC),
          dst: this.ipv4(K.CT_NW_DST),
          proto: this.number(K.CT_ZONE, 8, 255),
          tp_src: this.number(K.CT_TP, 16, 0xffff),
          tp_dst: this.number(K.CT_TP, 0, 0xffff),
        });
      case 'ct_tuple6': {
        const source = this.number(K.CT_TP, 16, 0xffff);
        const destination = this.number(K.CT_TP, 0, 0xffff);
        // The original reads one pair of names and writes the other.
        return readFields(args, {
          src: this.ipv6(K.CT_IPV6_SRC),
          dst: this.ipv6(K.CT_IPV6_DST),
          proto: this.number(K.CT_ZONE, 8, 255),
          tp_src: source,
          tp_dst: destination,
          src_port: source,
          dst_port: destination,
        });
      }
      case 'packet_type':
        return readFields(args, {
          ns: this.number(K.PACKET_TYPE, 16, 0xffff),
          id: this.number(K.PACKET_TYPE, 0, 0xffff),
        });
      case 'eth':
        return readFields(args, {
          src: this.mac(K.ETH_DST_SRC, K.ETH_SRC, true),
          dst: this.mac(K.ETH_DST, K.ETH_DST_SRC, false),
        });
      case 'eth_type':
        return this.number(K.ETH_TYPE_PROTO, 16, 0xffff)(value, maskText);
      case 'vlan':
        return this.vlan(args, depth);
      case 'ipv4':
        this.impliedType = P.ETH_TYPE_IPV4;
        return readFields(args, {
          src: this.ipv4(K.IPV4_SRC),
          dst: this.ipv4(K.IPV4_DST),
          proto: this.number(K.ETH_TYPE_PROTO, 8, 255),
          tos: this.number(K.TOS_TTL, 24, 255),
          ttl: this.number(K.TOS_TTL, 16, 255),
          frag: this.frag,
        });
      case 'ipv6':
        this.impliedType = P.ETH_TYPE_IPV6;
        return readFields(args, {
          src: this.ipv6(K.IPV6_SRC),
          dst: this.ipv6(K.IPV6_DST),
          label: this.number(K.IPV6_FLABEL, 0, 0xfffff),
          proto: this.number(K.ETH_TYPE_PROTO, 8, 255),
          tclass: this.number(K.TOS_TTL, 24, 255),
          hlimit: this.number(K.TOS_TTL, 16, 255),
          frag: this.frag,
        });
      case 'tcp':
      case 'udp':
      case 'sctp':
        return readFields(args, {
          src: this.number(K.TP, 16, 0xffff),
          dst: this.number(K.TP, 0, 0xffff),
        });
      case 'tcp_flags':
        return this.flags(K.TCP_FLAGS, 16, 0xfff, args, TCP_FLAG_NAMES);
      case 'icmp':
      case 'icmpv6':
        return readFields(args, {
          type: this.number(K.TP, 16, 255),
          code: this.number(K.TP, 0, 255),
        });
      case 'nd':
        return readFields(args, {
          target: this.ipv6(K.ND_TARGET),
          sll: this.mac(K.ARP_SHA, K.ARP_SHA_THA, false),
          tll: this.mac(K.ARP_SHA_THA, K.ARP_THA, true),
        });
      case 'arp':
        return readFields(args, {
          sip: this.ipv4(K.IPV4_SRC),
          tip: this.ipv4(K.IPV4_DST),
          op: this.number(K.ETH_TYPE_PROTO, 8, 255),
          sha: this.mac(K.ARP_SHA, K.ARP_SHA_THA, false),
          tha: this.mac(K.ARP_SHA_THA, K.ARP_THA, true),
        });
      case 'mpls':
        return this.mpls(args);
      case 'nd_ext':
        return readFields(args, {
          nd_reserved: this.number(K.ND_RESERVED, 0, 0xffffffff),
          nd_options_type: this.number(K.ND_OPTIONS, 24, 255),
        });
      case 'nsh':
        return readFields(args, {
          flags: this.number(K.NSH, 24, 255),
          ttl: this.number(K.NSH, 16, 255),
          mdtype: this.number(K.NSH, 8, 255),
          np: this.number(K.NSH, 0, 255),
          spi: this.number(K.NSH_PATH, 8, 0xffffff),
          si: this.number(K.NSH_PATH, 0, 255),
          c1: this.number(K.NSH_CONTEXT, 0, 0xffffffff),
          c2: this.number(K.NSH_CONTEXT + 1, 0, 0xffffffff),
          c3: this.number(K.NSH_CONTEXT + 2, 0, 0xffffffff),
          c4: this.number(K.NSH_CONTEXT + 3, 0, 0xffffffff),
        });
      default:
        return false;
    }
  }

  /** Items `name=value` and `name(...)` side by side; `value` of the first kind starts with "=". */
  private nested(args: string, item: (name: string, value: string) => boolean): boolean {
    for (let at = 0; at < args.length; ) {
      const name = /^[\s,]*([a-z0-9_]+)/.exec(args.slice(at));
      if (name === null) return args.slice(at).trim() === '';
      at += name[0].length;
      if (args[at] === '(') {
        const close = closing(args, at, args.length);
        if (close < 0 || !item(name[1], args.slice(at + 1, close))) return false;
        at = close + 1;
      } else if (args[at] === '=') {
        const comma = args.indexOf(',', at);
        const end = comma < 0 ? args.length : comma;
        if (!item(name[1], args.slice(at, end))) return false;
        at = end;
      } else return false;
    }
    return true;
  }

  private tunnelItem(name: string, value: string): boolean {
    switch (name) {
      case 'flags':
        return this.flags(K.TUN_FLAGS, 16, 0xf, value === '' ? '0' : value, TUNNEL_FLAG_NAMES);
      case 'tun_id': {
        const [v, m] = splitMask(value.slice(1));
        return this.wide(K.TUN_ID, 2, v, m);
      }
      case 'vxlan':
        return this.nested(value, (inner, args) =>
          inner === 'gbp'
            ? readFields(args, {
                id: this.number(K.TUN_GBP, 16, 0xffff),
                flags: this.number(K.TUN_GBP, 8, 255),
              })
            : false,
        );
      case 'erspan':
        return readFields(value, {
          ver: this.number(K.TUN_ERSPAN_GTPU, 28, 15),
          dir: this.number(K.TUN_ERSPAN_GTPU, 24, 1),
          hwid: this.number(K.TUN_ERSPAN_GTPU, 16, 63),
          idx: this.number(K.TUN_ERSPAN_IDX, 0, 0xfffff),
        });
      case 'geneve':
        return parseOptions(value, this.key, this.mask);
      case 'gtpu':
        return readFields(value, {
          flags: this.number(K.TUN_ERSPAN_GTPU, 8, 255),
          msgtype: this.number(K.TUN_ERSPAN_GTPU, 0, 255),
        });
      default:
        return readFields(`${name}${value}`, {
          src: this.ipv4(K.TUN_SRC),
          dst: this.ipv4(K.TUN_DST),
          ipv6_src: this.ipv6(K.TUN_IPV6_SRC),
          ipv6_dst: this.ipv6(K.TUN_IPV6_DST),
          tos: this.number(K.TUN_FLAGS, 8, 255),
          ttl: this.number(K.TUN_FLAGS, 0, 255),
          tp_src: this.number(K.TUN_TP, 16, 0xffff),
          tp_dst: this.number(K.TUN_TP, 0, 0xffff),
        });
    }
  }

  /** The eth_type() in front of vlan() was its TPID. */
  private vlan(args: string, depth: number): boolean {
    if (depth >= 2) return false;
    const word = K.VLAN0 + depth;
    const type = this.key[K.ETH_TYPE_PROTO] >>> 16;
    const typeMask = this.mask[K.ETH_TYPE_PROTO] >>> 16;
    if (type === 0) return false;
    this.put(K.ETH_TYPE_PROTO, 16, 0xffff, 0, 0);
    this.put(word, 16, 0xffff, type, typeMask);
    this.put(word, 12, 1, 1);
    return readFields(args, {
      vid: this.number(word, 0, 0xfff),
      pcp: this.number(word, 13, 7),
      cfi: this.number(word, 12, 1),
    });
  }

  private mpls(args: string): boolean {
    let word = K.MPLS_LSE - 1;
    const entry =
      (shift: number, full: number): FieldReader =>
      (value, mask) =>
        word >= K.MPLS_LSE && this.number(word, shift, full)(value, mask);
    return readFields(args, {
      label: (value, mask) => ++word < K.MPLS_LSE + 3 && entry(12, 0xfffff)(value, mask),
      tc: entry(9, 7),
      bos: entry(8, 1),
      ttl: entry(0, 255),
    });
  }

  /** A number of `count` words. */
  private wide(at: number, count: number, value: string, mask: string | undefined): boolean {
    const bits = BigInt(32 * count);
    const v = parseWide(value);
    const m = mask === undefined ? (1n << bits) - 1n : parseWide(mask);
    if (v === undefined || m === undefined || v >> bits !== 0n || m >> bits !== 0n) return false;
    for (let i = 0; i < count; i++) {
      const shift = bits - BigInt(32 * (i + 1));
      this.key[at + i] = Number((v >> shift) & 0xffffffffn);
      this.mask[at + i] = Number((m >> shift) & 0xffffffffn);
    }
    return true;
  }

  /** A number, names joined by "|", or +set-clear. */
  private flags(word: number, shift: number, full: number, args: string, names: string[]): boolean {
    const [value, mask] = splitMask(args);
    if (parseNumber(value) !== undefined) return this.number(word, shift, full)(value, mask);
    let v = 0;
    let m = full;
    if (/^[+-]/.test(args)) {
      m = 0;
      for (const part of args.match(/[+-][^+-]*/g) ?? []) {
        const bit = names.indexOf(part.slice(1));
        if (bit < 0) return false;
        m |= 1 << bit;
        if (part[0] === '+') v |= 1 << bit;
      }
    } else {
      for (const part of args.split('|')) {
        const bit = names.indexOf(part);
        const number = parseNumber(part);
        if (bit < 0 && number === undefined) return false;
        v |= bit < 0 ? (number ?? 0) : 1 << bit;
      }
    }
    return this.put(word, shift, full, v, m);
  }
}

/** Index of the parenthesis that closes the one at `open`, -1 without one. */
function closing(text: string, open: number, end: number): number {
  let depth = 0;
  for (let i = open; i < end; i++) {
    if (text[i] === '(') depth++;
    else if (text[i] === ')' && --depth === 0) return i;
  }
  return -1;
}

function splitMask(text: string): [string, string | undefined] {
  const slash = text.indexOf('/');
  return slash < 0 ? [text, undefined] : [text.slice(0, slash), text.slice(slash + 1)];
}

/** name=value[/mask],... */
function readFields(args: string, readers: Record<string, FieldReader>): boolean {
  for (const part of args.split(',')) {
    if (part.trim() === '') continue;
    const equals = part.indexOf('=');
    if (equals < 0) return false;
    const name = part.slice(0, equals).trim();
    if (!Object.hasOwn(readers, name)) return false;
    const [value, mask] = splitMask(part.slice(equals + 1).trim());
    if (!readers[name](value, mask)) return false;
  }
  return true;
}

/** Decimal or 0x hexadecimal up to 32 bits. */
function parseNumber(text: string): number | undefined {
  if (!/^(0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10})$/.test(text)) return undefined;
  const value = Number(text);
  return value <= 0xffffffff ? value : undefined;
}

function parseWide(text: string): bigint | undefined {
  return /^(0[xX][0-9a-fA-F]{1,32}|[0-9]{1,38})$/.test(text) ? BigInt(text) : undefined;
}
