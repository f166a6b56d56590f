/**
 * Reads the notation of ovs-actions(7): one function for each word, the reverse of actions-text.ts, and some words more that
 * ovs-ofctl understands but does not print.
 */
import type { Action } from '../../flowtable/action.ts';
import {
  LAST_OF_PORT,
  OFPP_IN_PORT,
  OFPP_LOCAL,
  type OfPort,
  ofPort,
} from '../../flowtable/of-port.ts';
import { fieldByName, fullMask } from '../../packet/fields.ts';
import { isValueValid, namedField } from '../codec/match-fields.ts';
import { ct, nat } from './ct-syntax.ts';
import { learn } from './learn-syntax.ts';
import { parseSubfield, parseValue } from './match-syntax.ts';
import {
  bigNumber,
  fault,
  integer,
  knownPort,
  type NameLookup,
  need,
  number32,
  options,
  parsed,
  portOf,
  smallNumber,
  splitArguments,
  tableOf,
  type Word,
  words,
} from './syntax.ts';

const CONTROLLER = ofPort(0xfffd);
const OFPP_NORMAL = 0xfffa;
const WHOLE = 0xffff;
const ETHERNET_BYTES = 14;
const ALL_TABLES = 255;
const U64 = 0xffff_ffff_ffff_ffffn;

/** A number of few bits, `name` for the message. */
function limited(w: Word, bits: number, name: string): number {
  const value = integer(need(w)) ?? fault(`invalid ${name} "${need(w)}"`);
  return value >> BigInt(bits) === 0n ? Number(value) : fault(`${need(w)}: not a valid ${name}`);
}

const pick = <T extends string>(text: string, of: readonly T[], what: string, all: string): T =>
  of.find((name) => name === text) ?? fault(`${all}: unknown ${what} \`${text}'`);

function hexBytes(text: string, what: string): Uint8Array {
  const digits = text.replaceAll('.', '');
  if (!/^([0-9a-fA-F]{2})*$/.test(digits)) fault(`bad hex digit in ${what}`);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function outputTo(port: OfPort): Action {
  if (port === OFPP_NORMAL) return { kind: 'normal' };
  return { kind: 'output', port, maxBytes: port === CONTROLLER ? WHOLE : 0 };
}

function output(w: Word, names: NameLookup): Action {
  const text = need(w);
  if (text.includes('port=') || text.includes('max_len=')) {
    const args = options(text);
    const limit = args.get('max_len') ?? fault(`${text}: output to unknown port`);
    const named = args.get('port') ?? '';
    const port = portOf(named, names) ?? fault(`${named}: output to unknown port`);
    if (port > LAST_OF_PORT && port !== OFPP_LOCAL && port !== OFPP_IN_PORT) {
      fault(`output to unsupported truncate port: ${named}`);
    }
    const maxBytes = number32(limit, 'max_len');
    if (maxBytes < ETHERNET_BYTES) {
      fault(`max_len ${maxBytes} is less than the minimum value ${ETHERNET_BYTES}`);
    }
    return { kind: 'outputTrunc', port, maxBytes };
  }
  const port = portOf(text, names);
  if (port !== null) return outputTo(port);
  const src = parsed(() => parseSubfield(text));
  if (!src.ok) return fault(`${text}: output to unknown port`);
  return { kind: 'outputReg', src: src.value, maxBytes: WHOLE };
}

const REASONS = ['no_match', 'action', 'invalid_ttl', 'action_set', 'group', 'packet_out'] as const;

function controller(w: Word): Action {
  if (w.value === null) return outputTo(CONTROLLER);
  if (/^\d+$/.test(w.value)) {
    return { kind: 'output', port: CONTROLLER, maxBytes: smallNumber(w.value, 'max_len') };
  }
  const args = options(w.value);
  const userdata = args.get('userdata');
  const meterId = args.get('meter_id');
  return {
    kind: 'controller',
    maxBytes: smallNumber(args.get('max_len') ?? '65535', 'max_len'),
    controllerId: smallNumber(args.get('id') ?? '0', 'id'),
    reason:
      REASONS.find((one) => one === (args.get('reason') ?? 'action')) ??
      fault(`unknown reason "${args.get('reason')}"`),
    userdata: userdata === undefined ? null : hexBytes(userdata, "`controller' action `userdata'"),
    meterId: meterId === undefined ? null : number32(meterId, 'meter_id'),
    pause: args.has('pause'),
  };
}

function resubmitTable(text: string, names: NameLookup): number {
  const got = parsed(() => tableOf(text, names));
  return got.ok ? got.value : fault(`${text}: resubmit to unknown table`);
}

function resubmit(w: Word, names: NameLookup): Action {
  const [port = '', table = '', ct = ''] = splitArguments(need(w));
  if (ct !== '' && ct !== 'ct') fault(`${ct}: unknown parameter`);
  const from = port === '' ? null : knownPort(port, names);
  const number = table === '' ? ALL_TABLES : resubmitTable(table, names);
  if ((from === null || from === OFPP_IN_PORT) && number === ALL_TABLES) {
    fault('at least one "in_port" or "table" must be specified on resubmit');
  }
  return {
    kind: 'resubmit',
    port: from === OFPP_IN_PORT ? null : from,
    table: number === ALL_TABLES ? null : number,
    withCt: ct === 'ct',
  };
}

function setField(w: Word, names: NameLookup): Action {
  const target = w.target ?? fault(`${w.value ?? ''}: missing \`->'`);
  const field = fieldByName(target) ?? fault(`${target} is not a valid OXM field name`);
  if (!field.writable) fault(`${target} is read-only`);
  const { value, mask } = parseValue(field, need(w), names);
  if (!isValueValid(field, value)) fault(`${need(w)} is not a valid value for field ${target}`);
  const all = fullMask(field);
  return { kind: 'setField', field, value: value & mask & all, mask: mask & all };
}

function load(w: Word): Action {
  const dst = parseSubfield(w.target ?? fault(`${w.value ?? ''}: missing \`->'`));
  const value = bigNumber(need(w), 'value');
  if (value >> BigInt(Math.min(64, dst.bits)) !== 0n) {
    fault(`${need(w)}->${w.target}: value ${need(w)} does not fit into ${dst.bits} bits`);
  }
  return { kind: 'load', dst, value };
}

function move(w: Word): Action {
  const src = parseSubfield(need(w));
  const dst = parseSubfield(w.target ?? fault(`${need(w)}: missing \`->'`));
  if (src.bits !== dst.bits) {
    fault(
      `${need(w)}->${w.target}: source field is ${src.bits} bits wide but destination is ${dst.bits} bits wide`,
    );
  }
  return { kind: 'move', src, dst };
}

const HASHES = [
  'eth_src',
  'symmetric_l4',
  'symmetric_l3l4',
  'symmetric_l3l4+udp',
  'nw_src',
  'nw_dst',
  'symmetric_l3',
] as const;
const MULTIPATHS = ['modulo_n', 'hash_threshold', 'hrw', 'iter_hash'] as const;

function multipath(w: Word): Action {
  const args = splitArguments(need(w));
  if (args.length !== 6) fault(`${need(w)}: not enough arguments to multipath action`);
  const text = need(w);
  const links = number32(args[3], 'n_links');
  const algorithm = pick(args[2], MULTIPATHS, 'algorithm', text);
  if (links < 1 || links > 65536) {
    fault(`${text}: n_links ${links} is not in valid range 1 to 65536`);
  }
  const dst = parseSubfield(args[5]);
  if (dst.bits < 16 && links > 1 << dst.bits) {
    fault(
      `${text}: ${dst.bits}-bit destination field has ${1 << dst.bits} possible values, less than specified n_links ${links}`,
    );
  }
  return {
    kind: 'multipath',
    fields: pick(args[0], HASHES, 'fields', text),
    basis: smallNumber(args[1], 'basis'),
    algorithm,
    links,
    arg: number32(args[4], 'arg'),
    dst,
  };
}

function bundle(w: Word, names: NameLookup): Action {
  const [fields = '', basis = '', algorithm = '', type = '', ...others] = splitArguments(need(w));
  if (type !== 'ofport') fault(`${need(w)}: unknown member_type \`${type}'`);
  const dst = w.key === 'bundle_load' ? parseSubfield(others.shift() ?? '') : null;
  const members = others.join(',').replace(/^(members|slaves):/, '');
  return {
    kind: 'bundle',
    fields: pick(fields, HASHES, 'fields', need(w)),
    basis: smallNumber(basis, 'basis'),
    algorithm: pick(algorithm, ['active_backup', 'hrw'], 'algorithm', need(w)),
    members: splitArguments(members).map((port) => knownPort(port, names)),
    dst,
  };
}

const SAMPLE_WORDS: ReadonlySet<string> = new Set([
  ...['probability', 'collector_set_id', 'obs_domain_id', 'obs_point_id', 'sampling_port'],
  ...['ingress', 'egress'],
]);

function sample(w: Word, names: NameLookup): Action {
  const args = options(w.value);
  for (const key of args.keys()) {
    if (!SAMPLE_WORDS.has(key)) fault(`invalid key "${key}" in "sample" argument`);
  }
  const port = args.get('sampling_port');
  const probability = smallNumber(args.get('probability') ?? '0', 'probability');
  if (args.has('probability') && probability === 0) fault('invalid probability value "0"');
  if (probability === 0) fault('non-zero "probability" must be specified on sample');
  return {
    kind: 'sample',
    probability,
    collectorSet: number32(args.get('collector_set_id') ?? '0', 'collector_set_id'),
    obsDomain: number32(args.get('obs_domain_id') ?? '0', 'obs_domain_id'),
    obsPoint: number32(args.get('obs_point_id') ?? '0', 'obs_point_id'),
    samplingPort: port === undefined ? null : knownPort(port, names),
    direction: args.has('ingress') ? 'ingress' : args.has('egress') ? 'egress' : 'default',
  };
}

function note(w: Word): Action {
  const bytes = hexBytes(w.value ?? '', "`note' argument");
  // A note fills its action: 6 bytes, then whole 8-byte units.
  const padded = new Uint8Array(6 + 8 * Math.ceil(Math.max(0, bytes.length - 6) / 8));
  padded.set(bytes);
  return { kind: 'note', data: padded };
}

function conjunction(w: Word): Action {
  const found =
    /^\s*(\w+)\s*,\s*(\d+)\s*\/\s*(\d+)\s*$/.exec(need(w)) ??
    fault('"conjunction" syntax is "conjunction(id,i/n)"');
  const clauses = smallNumber(found[3], 'number of clauses', 8);
  const clause = smallNumber(found[2], 'clause index', 8) - 1;
  if (clause < 0) fault('clause index must be positive');
  if (clause >= clauses) fault('clause index must be less than or equal to number of clauses');
  if (clauses > 64) fault('conjunction must have at most 64 clauses');
  if (clauses < 2) fault('conjunction must have at least 2 clauses');
  return { kind: 'conjunction', id: number32(found[1], 'conjunction id'), clause, clauses };
}

function writeMetadata(w: Word): Action {
  const [value, mask] = need(w).split('/');
  const parsedMask = mask === undefined ? U64 : bigNumber(mask, 'metadata mask');
  return {
    kind: 'writeMetadata',
    value: bigNumber(value, 'metadata') & parsedMask,
    mask: parsedMask,
  };
}

const mac = (w: Word): bigint => {
  const got = parsed(() => parseValue(namedField('eth_src'), need(w)).value);
  return got.ok ? got.value : fault(`invalid mac address ${need(w)}`);
};
const ip = (w: Word): number => Number(parseValue(namedField('ip_src'), need(w)).value);
const u16 = (w: Word): number => smallNumber(need(w), w.key);
const u8 = (w: Word): number => smallNumber(need(w), w.key, 8);
const u32 = (w: Word): number => number32(need(w), w.key);

const ENCAPS: Readonly<Record<string, number>> = {
  ethernet: 0,
  nsh: 0x1894f,
  mpls: 0x18847,
  mpls_mc: 0x18848,
};

function encap(w: Word): Action {
  const [header] = words(need(w));
  const packetType = ENCAPS[header?.key ?? ''] ?? fault('Encap hdr not supported: ');
  const properties = words(header.value ?? '').map((one) => {
    if (one.key === 'md_type') return { class: 4, type: 1, data: Uint8Array.of(u8(one)) };
    if (one.key !== 'tlv') fault(`Invalid property: ${one.key}`);
    const [tlvClass = '', type = '', value = ''] = splitArguments(one.value ?? '');
    const digits = bigNumber(value, 'tlv value', 992).toString(16);
    const bytes = hexBytes(digits.length % 2 ? `0${digits}` : digits, "`encap' argument");
    const c = smallNumber(tlvClass, 'tlv class');
    const head = [c >>> 8, c & 0xff, smallNumber(type, 'tlv type', 8), bytes.length];
    const padding = new Uint8Array((8 - (bytes.length % 8)) % 8);
    return { class: 4, type: 2, data: Uint8Array.of(...head, ...bytes, ...padding) };
  });
  return { kind: 'encap', packetType, properties };
}

function decap(w: Word): Action {
  const inner = /packet_type\(ns=(\w+),\s*type=(\w+)\)/.exec(w.value ?? '');
  if (inner === null) return { kind: 'decap', newPacketType: null };
  const [, ns, type] = inner;
  return {
    kind: 'decap',
    newPacketType: smallNumber(ns, 'ns') * 0x10000 + smallNumber(type, 'type'),
  };
}

type Reader = (w: Word, names: NameLookup) => Action;

const setVlan =
  (pushIfNeeded: boolean): Reader =>
  (w) => ({
    kind: 'setVlanVid',
    vid: limited(w, 12, 'VLAN VID'),
    pushIfNeeded,
  });

const setPcp =
  (pushIfNeeded: boolean): Reader =>
  (w) => ({
    kind: 'setVlanPcp',
    pcp: limited(w, 3, 'VLAN PCP'),
    pushIfNeeded,
  });

const plain =
  (action: Action): Reader =>
  () =>
    action;

const decTtl: Reader = (w) => ({
  kind: 'decTtl',
  controllerIds:
    w.value === null ? [0] : splitArguments(w.value).map((id) => smallNumber(id, 'id')),
});

const setTunnel: Reader = (w) => ({
  kind: 'setTunnel',
  id: bigNumber(need(w), w.key),
  is64: w.key.endsWith('64') || bigNumber(need(w), w.key) >> 32n !== 0n,
});

const finTimeout: Reader = (w) => {
  const args = options(w.value);
  for (const key of args.keys()) {
    if (key !== 'idle_timeout' && key !== 'hard_timeout') {
      fault(`invalid key '${key}' in 'fin_timeout' argument`);
    }
  }
  return {
    kind: 'finTimeout',
    idleSeconds: smallNumber(args.get('idle_timeout') ?? '0', 'idle_timeout'),
    hardSeconds: smallNumber(args.get('hard_timeout') ?? '0', 'hard_timeout'),
  };
};

const enqueue: Reader = (w, names) => {
  const [port = '', queue] = need(w).split(/[:,]/);
  if (queue === undefined) {
    return fault('"enqueue" syntax is "enqueue:PORT:QUEUE" or "enqueue(PORT,QUEUE)"');
  }
  return { kind: 'enqueue', port: knownPort(port, names), queue: number32(queue, 'queue') };
};

const checkPktLarger: Reader = (w) => {
  const bytes = smallNumber(need(w), '(null)');
  const dst = parseSubfield(w.target ?? fault(`${w.key}: missing \`->'`));
  if (dst.bits !== 1) fault('Only 1-bit destination field is allowed');
  return { kind: 'checkPktLarger', bytes, dst };
};

const deleteField: Reader = (w) => ({
  kind: 'deleteField',
  field: fieldByName(need(w)) ?? fault(`delete_field: unknown field ${need(w)}`),
});

const READERS: Readonly<Record<string, Reader>> = {
  output,
  controller,
  enqueue,
  bundle,
  bundle_load: bundle,
  group: (w) => ({ kind: 'group', groupId: u32(w) }),
  mod_vlan_vid: setVlan(true),
  set_vlan_vid: setVlan(false),
  mod_vlan_pcp: setPcp(true),
  set_vlan_pcp: setPcp(false),
  strip_vlan: plain({ kind: 'stripVlan' }),
  pop_vlan: plain({ kind: 'stripVlan', pop: true }),
  push_vlan: (w) => {
    const ethType = smallNumber(need(w), 'ethertype');
    if (ethType !== 0x8100 && ethType !== 0x88a8) fault(`${need(w)}: not a valid VLAN ethertype`);
    return { kind: 'pushVlan', ethType };
  },
  mod_dl_src: (w) => ({ kind: 'setEthSrc', mac: mac(w) }),
  mod_dl_dst: (w) => ({ kind: 'setEthDst', mac: mac(w) }),
  mod_nw_src: (w) => ({ kind: 'setIpv4Src', address: ip(w) }),
  mod_nw_dst: (w) => ({ kind: 'setIpv4Dst', address: ip(w) }),
  mod_nw_tos: (w) => {
    const tos = smallNumber(need(w), 'TOS', 8);
    return (tos & 3) === 0 ? { kind: 'setIpTos', tos } : fault(`${need(w)}: not a valid TOS`);
  },
  mod_nw_ecn: (w) => ({ kind: 'setIpEcn', ecn: limited(w, 2, 'ECN') }),
  mod_nw_ttl: (w) => ({ kind: 'setIpTtl', ttl: u8(w) }),
  mod_tp_src: (w) => ({ kind: 'setTpSrc', port: smallNumber(need(w), 'source port') }),
  mod_tp_dst: (w) => ({ kind: 'setTpDst', port: smallNumber(need(w), 'destination port') }),
  set_field: setField,
  load,
  move,
  push: (w) => ({ kind: 'push', src: parseSubfield(w.value ?? '') }),
  pop: (w) => ({ kind: 'pop', dst: parseSubfield(w.value ?? '') }),
  delete_field: deleteField,
  multipath,
  check_pkt_larger: checkPktLarger,
  dec_ttl: decTtl,
  copy_ttl_out: plain({ kind: 'copyTtlOut' }),
  copy_ttl_in: plain({ kind: 'copyTtlIn' }),
  set_mpls_label: (w) => ({ kind: 'setMplsLabel', label: limited(w, 20, 'MPLS label') }),
  set_mpls_tc: (w) => ({ kind: 'setMplsTc', tc: limited(w, 3, 'MPLS TC') }),
  set_mpls_ttl: (w) => ({ kind: 'setMplsTtl', ttl: u8(w) }),
  dec_mpls_ttl: plain({ kind: 'decMplsTtl' }),
  push_mpls: (w) => ({ kind: 'pushMpls', ethType: u16(w) }),
  pop_mpls: (w) => ({ kind: 'popMpls', ethType: u16(w) }),
  push_pbb: (w) => ({ kind: 'pushPbb', ethType: u16(w) }),
  pop_pbb: plain({ kind: 'popPbb' }),
  dec_nsh_ttl: plain({ kind: 'decNshTtl' }),
  encap,
  decap,
  set_tunnel: setTunnel,
  set_tunnel64: setTunnel,
  set_queue: (w) => ({ kind: 'setQueue', queue: u32(w) }),
  pop_queue: plain({ kind: 'popQueue' }),
  fin_timeout: finTimeout,
  resubmit,
  learn,
  conjunction,
  clone: (w, names) => ({ kind: 'clone', actions: parseActions(need(w), names) }),
  ct: (w, names) => ct(w, names, (text) => parseActions(text, names)),
  ct_clear: plain({ kind: 'ctClear' }),
  nat: (w) => nat(w.value),
  sample,
  note,
  exit: plain({ kind: 'exit' }),
  debug_recirc: plain({ kind: 'debugRecirc' }),
  debug_slow: plain({ kind: 'debugSlow' }),
  meter: (w) => ({ kind: 'meter', meterId: u32(w) }),
  clear_actions: plain({ kind: 'clearActions' }),
  write_actions: (w, names) => ({ kind: 'writeActions', actions: parseActions(need(w), names) }),
  write_metadata: writeMetadata,
  goto_table: (w, names) => ({ kind: 'gotoTable', table: tableOf(need(w), names) }),
};

/** Words that are known, but not for users. */
const REFUSED: Readonly<Record<string, string>> = {
  apply_actions: 'apply_actions is the default instruction',
  unroll_xlate: "UNROLL is an internal action that shouldn't be used via OpenFlow",
};

const INSTRUCTIONS: ReadonlySet<string> = new Set([
  ...['clear_actions', 'write_actions', 'write_metadata', 'goto_table'],
]);

/** The actions of a packet or a bucket, which have no instructions. Throws a SyntaxFault. */
export function parseListOfActions(text: string, names: NameLookup): readonly Action[] {
  for (const { key } of words(text)) {
    if (INSTRUCTIONS.has(key)) fault(`${key} instruction not allowed here`);
  }
  return parseActions(text, names);
}

function parseAction(w: Word, names: NameLookup): Action {
  const reader = READERS[w.key.toLowerCase()];
  if (reader !== undefined) return reader({ ...w, key: w.key.toLowerCase() }, names);
  const refused = REFUSED[w.key];
  if (refused !== undefined) fault(refused);
  const port = w.value === null ? portOf(w.key, names) : null;
  return port === null ? fault(`unknown action ${w.key}`) : outputTo(port);
}

/** A list; "drop" alone is an empty one. Throws a SyntaxFault. */
export function parseActions(text: string, names: NameLookup = {}): readonly Action[] {
  const list = words(text);
  const drops = list.some(({ key }) => key === 'drop');
  if (drops && list.length > 1)
    fault('"drop" must not be accompanied by any other action or instruction');
  return drops ? [] : list.map((one) => parseAction(one, names));
}
