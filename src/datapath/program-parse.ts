/**
 * Reads the text of datapath actions (program-text.ts) into a program: `dpctl/add-flow`, `dpctl/mod-flow` and
 * `dpctl/normalize-actions`. A mistake is a value that quotes the text from where it is wrong.
 *
 * set(...) holds flow text (packet/flow-parse.ts): each word of the key that it covers becomes a SET.
 */
import { parseFlow } from '../packet/flow-parse.ts';
import { DP_WORDS, PBB_ISID, SKB_PRIORITY, VLAN_CFI, VLAN0 } from '../packet/key.ts';
import { ETH_TYPE_VLAN } from '../packet/protocol.ts';
import { CookieKind, HashKind, PacketInFlag, ProgramBuilder, SlowPath } from './program.ts';

export type ParsedProgram = { ok: true; program: Int32Array } | { ok: false; error: string };

export interface ProgramParseOptions {
  /** Number of the port with this name. */
  portNumber?: (name: string) => number | undefined;
}

/** Actions inside actions. */
const MAX_DEPTH = 8;

export function parseProgram(text: string, options: ProgramParseOptions = {}): ParsedProgram {
  const parser = new ProgramParser(text, options);
  const wrongAt = parser.list(0, text.length, 0);
  if (wrongAt >= 0) return { ok: false, error: `syntax error at ${text.slice(wrongAt)}` };
  return { ok: true, program: parser.builder.take() };
}

/** Named arguments of an action: numbers, and texts in parentheses. */
type Arguments = ReadonlyMap<string, string>;

class ProgramParser {
  readonly builder = new ProgramBuilder();
  private readonly text: string;
  private readonly options: ProgramParseOptions;

  constructor(text: string, options: ProgramParseOptions) {
    this.text = text;
    this.options = options;
  }

  /** Reads actions in text[from, end). Returns where it fails, -1 for success. */
  list(from: number, end: number, depth: number): number {
    const { text } = this;
    if (text.slice(from, end).trim() === 'drop') return -1;
    let at = from;
    for (;;) {
      while (at < end && ', \t\r\n'.includes(text[at])) at++;
      if (at >= end) return -1;
      const word = /^[^\s,()]+/.exec(text.slice(at, end))?.[0];
      if (word === undefined) return at;
      const open = at + word.length;
      if (text[open] !== '(' || open >= end) {
        if (!this.plain(word)) return at;
        at = open;
        continue;
      }
      const close = closing(text, open, end);
      if (close < 0 || !this.action(word, open + 1, close, depth)) return at;
      at = close + 1;
    }
  }

  /** Without parentheses: a port, or an action that has no arguments. */
  private plain(word: string): boolean {
    const { builder } = this;
    if (word === 'pop_vlan') builder.popVlan();
    else if (word === 'pop_pbb') builder.popPbb();
    else if (word === 'copy_ttl_out') builder.copyTtlOut();
    else if (word === 'copy_ttl_in') builder.copyTtlIn();
    else {
      const port = number(word, 0xffff) ?? this.options.portNumber?.(word);
      if (port === undefined) return false;
      builder.output(port);
    }
    return true;
  }

  private action(name: string, from: number, end: number, depth: number): boolean {
    const { builder } = this;
    const inside = this.text.slice(from, end);
    switch (name) {
      case 'trunc':
      case 'recirc':
      case 'meter': {
        const value = number(inside);
        if (value === undefined || (name === 'trunc' && value < 14)) return false;
        builder[name](value);
        return true;
      }
      case 'clone': {
        const place = builder.beginClone();
        return this.nested(place, from, end, depth);
      }
      case 'set':
        return this.set(inside);
      case 'hash': {
        const hash = /^(l4|sym_l4)\((\w+)\)$/.exec(inside);
        const basis = hash === null ? undefined : number(hash[2]);
        if (hash === null || basis === undefined) return false;
        builder.hash(hash[1] === 'l4' ? HashKind.L4 : HashKind.SYM_L4, basis);
        return true;
      }
      case 'sample':
        return this.sample(from, end, depth);
      case 'check_pkt_len':
        return this.checkPktLen(from, end, depth);
      case 'userspace':
        return this.userspace(inside);
      default:
        return this.header(name, inside);
    }
  }

  private header(name: string, inside: string): boolean {
    const args = named(inside);
    if (args === undefined) return false;
    const value = (key: string, most: number, fallback?: number): number | undefined =>
      args.has(key) ? number(args.get(key) as string, most) : fallback;
    switch (name) {
      case 'push_vlan': {
        const vid = value('vid', 0xfff);
        const pcp = value('pcp', 7, 0);
        const cfi = value('cfi', 1, 1);
        const tpid = value('tpid', 0xffff, ETH_TYPE_VLAN);
        if (vid === undefined || pcp === undefined || cfi === undefined || tpid === undefined) {
          return false;
        }
        this.builder.pushVlan(tpid, vid | (pcp << 13) | (cfi === 1 ? VLAN_CFI : 0));
        return true;
      }
      case 'push_mpls': {
        const label = value('label', 0xfffff);
        const tc = value('tc', 7);
        const ttl = value('ttl', 255);
        const bos = value('bos', 1);
        const type = value('eth_type', 0xffff);
        if (label === undefined || tc === undefined || ttl === undefined) return false;
        if (bos === undefined || type === undefined) return false;
        this.builder.pushMpls(type, (label << 12) | (tc << 9) | (bos << 8) | ttl);
        return true;
      }
      case 'pop_mpls': {
        const type = value('eth_type', 0xffff);
        if (type !== undefined) this.builder.popMpls(type);
        return type !== undefined;
      }
      case 'push_pbb': {
        const isid = value('isid', 0xffffff);
        if (isid !== undefined) this.builder.pushPbb(isid);
        return isid !== undefined;
      }
      default:
        return false;
    }
  }

  /** The actions of an action that was begun at `place`. */
  private nested(place: number, from: number, end: number, depth: number): boolean {
    if (depth >= MAX_DEPTH || this.list(from, end, depth + 1) >= 0) return false;
    this.builder.end(place);
    return true;
  }

  private sample(from: number, end: number, depth: number): boolean {
    const head = /^sample=([0-9.]+)%,actions\(/.exec(this.text.slice(from, end));
    if (head === null) return false;
    const percent = Number(head[1]);
    if (!(percent >= 0 && percent <= 100)) return false;
    const inside = from + head[0].length;
    if (closing(this.text, inside - 1, end) !== end - 1) return false;
    const place = this.builder.beginSample(Math.floor((percent / 100) * 0xffffffff));
    return this.nested(place, inside, end - 1, depth);
  }

  private checkPktLen(from: number, end: number, depth: number): boolean {
    const { text, builder } = this;
    const head = /^size=(\w+),gt\(/.exec(text.slice(from, end));
    const size = head === null ? undefined : number(head[1], 0xffff);
    if (head === null || size === undefined || depth >= MAX_DEPTH) return false;
    const longer = from + head[0].length;
    const middle = closing(text, longer - 1, end);
    if (middle < 0 || !text.startsWith('),le(', middle)) return false;
    const others = middle + '),le('.length;
    if (closing(text, others - 1, end) !== end - 1) return false;
    const place = builder.beginCheckPktLen(size);
    if (this.list(longer, middle, depth + 1) >= 0) return false;
    builder.otherwise(place);
    return this.nested(place, others, end - 1, depth);
  }

  private set(inside: string): boolean {
    const { builder } = this;
    const priority = /^skb_priority\((\w+)\)$/.exec(inside);
    if (priority !== null) {
      const value = number(priority[1]);
      if (value !== undefined) builder.set(SKB_PRIORITY, value, 0xffffffff);
      return value !== undefined;
    }
    const isid = /^pbb\(isid=(\w+)\)$/.exec(inside);
    if (isid !== null) {
      const value = number(isid[1], 0xffffff);
      if (value !== undefined) builder.set(PBB_ISID, value, 0xffffff);
      return value !== undefined;
    }
    if (inside.startsWith('tunnel(')) {
      const tunnel = parseFlow(inside);
      if (tunnel.ok) builder.setTunnel(tunnel.key);
      return tunnel.ok;
    }
    // A tag to be changed has no type in front of it.
    const isTag = inside.startsWith('vlan(');
    const flow = parseFlow(isTag ? `eth_type(0x8100),${inside}` : inside);
    if (!flow.ok) return false;
    let words = 0;
    for (let word = 0; word < DP_WORDS; word++) {
      const mask = flow.mask[word] & (isTag && word === VLAN0 ? 0xefff : 0xffffffff);
      if (mask === 0) continue;
      builder.set(word, flow.key[word] & mask, mask);
      words++;
    }
    return words > 0;
  }

  private userspace(inside: string): boolean {
    const args = named(inside);
    if (args === undefined || number(args.get('pid') ?? '') === undefined) return false;
    const { builder } = this;
    const slow = args.get('slow_path');
    if (slow !== undefined) {
      let reasons = 0;
      for (const name of slow.split(',').filter((part) => part !== '')) {
        const bit = (SlowPath as Record<string, number | undefined>)[name.toUpperCase()];
        if (bit === undefined) return false;
        reasons |= bit;
      }
      builder.userspace(CookieKind.SLOW_PATH, reasons);
      return true;
    }
    const controller = named(args.get('controller') ?? '');
    if (args.has('controller')) return controller !== undefined && this.controller(controller);
    const data = args.get('userdata') ?? '';
    if (!/^([0-9a-fA-F]{8}){0,8}$/.test(data)) return false;
    const words = data.match(/.{8}/g) ?? [];
    builder.userspace(CookieKind.OTHER, ...words.map((digits) => Number.parseInt(digits, 16)));
    return true;
  }

  private controller(args: Arguments): boolean {
    const values = ['reason', 'dont_send', 'continuation', 'recirc_id', 'controller_id', 'max_len'];
    const [reason, dontSend, continuation, recircId, id, maxLen] = values.map((name) =>
      number(args.get(name) ?? ''),
    );
    const ruleCookie = args.get('rule_cookie') ?? '';
    if (reason === undefined || recircId === undefined || id === undefined) return false;
    if (maxLen === undefined || !/^(0x[0-9a-fA-F]{1,16}|[0-9]{1,19})$/.test(ruleCookie))
      return false;
    const wide = BigInt(ruleCookie);
    this.builder.userspace(
      CookieKind.CONTROLLER,
      (dontSend ? PacketInFlag.DONT_SEND : 0) | (continuation ? PacketInFlag.CONTINUATION : 0),
      reason,
      recircId,
      Number((wide >> 32n) & 0xffffffffn),
      Number(wide & 0xffffffffn),
      id,
      maxLen,
    );
    return true;
  }
}

/** Index of the parenthesis that closes the one at `open`, -1 without one before `end`. */
function closing(text: string, open: number, end: number): number {
  let depth = 0;
  for (let i = open; i < end; i++) {
    if (text[i] === '(') depth++;
    else if (text[i] === ')' && --depth === 0) return i;
  }
  return -1;
}

/** name=value and name(...), by name; undefined for anything else. */
function named(text: string): Arguments | undefined {
  const args = new Map<string, string>();
  for (let at = 0; at < text.length; ) {
    const name = /^[\s,]*([a-z0-9_]+)/.exec(text.slice(at));
    if (name === null) return text.slice(at).trim() === '' ? args : undefined;
    at += name[0].length;
    if (text[at] === '(') {
      const close = closing(text, at, text.length);
      if (close < 0) return undefined;
      args.set(name[1], text.slice(at + 1, close));
      at = close + 1;
    } else if (text[at] === '=') {
      const comma = text.indexOf(',', at);
      const end = comma < 0 ? text.length : comma;
      args.set(name[1], text.slice(at + 1, end).trim());
      at = end;
    } else return undefined;
  }
  return args;
}

/** Decimal or 0x hexadecimal up to `most`. */
function number(text: string, most = 0xffffffff): number | undefined {
  if (!/^(0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10})$/.test(text)) return undefined;
  const value = Number(text);
  return value <= most ? value : undefined;
}
