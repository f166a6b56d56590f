/**
 * Reads the notation of ovs-actions(7): one function for each word, the reverse of actions-text.ts, and some words more that
 * ovs-ofctl understands but does not print.
 */
import type { Action, LearnSpec, NatAction } from '../../flowtable/action.ts';
import { type OfPort, ofPort } from '../../flowtable/of-port.ts';
import { fieldByName, fullMask } from '../../packet/fields.ts';
import { isValueValid, namedField } from '../codec/match-fields.ts';
import { fieldByAnyName } from './field-names.ts';
import { parseSubfield, parseValue } from './match-syntax.ts';
import {
  bigNumber,
  fault,
  knownPort,
  type NameLookup,
  portOf,
  smallNumber,
  splitArguments,
  tableOf,
  type Word,
  words,
} from './syntax.ts';

const CONTROLLER = ofPort(0xfffd);
const OFPP_NORMAL = 0xfffa;
const OFPP_IN_PORT = 0xfff8;
const WHOLE = 0xffff;
const ALL_TABLES = 255;
const U64 = 0xffff_ffff_ffff_ffffn;
const DEFAULT_PRIORITY = 32768;

const number32 = (text: string, what: string): number => smallNumber(text, what, 32);

/** Keys and values of `a=1,b,c(2)`. */
const options = (text: string | null): Map<string, string> =>
  new Map(words(text ?? '').map(({ key, value }) => [key, value ?? '']));

const need = (w: Word): string => w.value ?? fault(`${w.key}: argument required`);

const pick = <T extends string>(text: string, of: readonly T[], what: string): T =>
  of.find((name) => name === text) ?? fault(`unknown ${what} \`${text}'`);

function hexBytes(text: string): Uint8Array {
  const digits = text.replaceAll('.', '');
  if (!/^([0-9a-fA-F]{2})*$/.test(digits)) fault(`bad hex digit in \`${text}'`);
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
    const port = knownPort(args.get('port') ?? '', names);
    return { kind: 'outputTrunc', port, maxBytes: number32(args.get('max_len') ?? '', 'max_len') };
  }
  const port = portOf(text, names);
  if (port !== null) return outputTo(port);
  if (!text.includes('[') && fieldByAnyName(text) === undefined) {
    fault(`${text}: output to unknown port`);
  }
  return { kind: 'outputReg', src: parseSubfield(text), maxBytes: WHOLE };
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
    reason: pick(args.get('reason') ?? 'action', REASONS, 'reason'),
    userdata: userdata === undefined ? null : hexBytes(userdata),
    meterId: meterId === undefined ? null : number32(meterId, 'meter_id'),
    pause: args.has('pause'),
  };
}

function resubmit(w: Word, names: NameLookup): Action {
  const [port = '', table = '', ct = ''] = splitArguments(need(w));
  if (ct !== '' && ct !== 'ct') fault(`${ct}: unknown parameter`);
  const from = port === '' ? null : knownPort(port, names);
  const number = table === '' ? ALL_TABLES : tableOf(table, names);
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
  const field = fieldByAnyName(target) ?? fault(`${target} is not a valid OXM field name`);
  if (!field.writable) fault(`${target} is read-only`);
  const { value, mask } = parseValue(field, need(w), names);
  if (!isValueValid(field, value)) fault(`${w.value ?? ''}: value is not valid for ${target}`);
  const all = fullMask(field);
  return { kind: 'setField', field, value: value & mask & all, mask: mask & all };
}

function load(w: Word): Action {
  const dst = parseSubfield(w.target ?? fault(`${w.value ?? ''}: missing \`->'`));
  return { kind: 'load', dst, value: bigNumber(need(w), 'value', Math.min(64, dst.bits)) };
}

function move(w: Word): Action {
  const src = parseSubfield(need(w));
  const dst = parseSubfield(w.target ?? fault(`${need(w)}: missing \`->'`));
  if (src.bits !== dst.bits) fault(`${need(w)}: source and destination have different widths`);
  return { kind: 'move', src, dst };
}

function learnSpec(w: Word, names: NameLookup): LearnSpec {
  const text = w.value ?? '';
  if (w.key === 'load') {
    const dst = parseSubfield(w.target ?? fault(`${text}: missing \`->'`));
    const { bits } = dst;
    if (!text.includes('[')) {
      return {
        kind: 'load',
        bits,
        src: { kind: 'value', value: bigNumber(text, 'value', bits) },
        dst,
      };
    }
    return { kind: 'load', bits, src: { kind: 'field', src: parseSubfield(text) }, dst };
  }
  if (w.key === 'output') {
    const src = parseSubfield(text);
    return { kind: 'output', bits: src.bits, src: { kind: 'field', src } };
  }
  const dst = parseSubfield(w.key);
  const { bits } = dst;
  if (w.value === null) return { kind: 'match', bits, src: { kind: 'field', src: dst }, dst };
  if (fieldByAnyName(text.replace(/\[.*/, '')) !== undefined) {
    return { kind: 'match', bits, src: { kind: 'field', src: parseSubfield(text) }, dst };
  }
  const whole = bits >= dst.field.bits;
  const value = whole ? parseValue(dst.field, text, names).value : bigNumber(text, 'value', bits);
  return { kind: 'match', bits, src: { kind: 'value', value }, dst };
}

const LEARN_OPTIONS = new Set([
  'table',
  'idle_timeout',
  'hard_timeout',
  'fin_idle_timeout',
  'fin_hard_timeout',
  'priority',
  'cookie',
  'send_flow_rem',
  'delete_learned',
  'limit',
  'result_dst',
]);

function learn(w: Word, names: NameLookup): Action {
  const list = words(w.value ?? '');
  const args = new Map(list.map(({ key, value }) => [key, value ?? '']));
  const seconds = (key: string): number => smallNumber(args.get(key) ?? '0', key);
  const result = args.get('result_dst');
  return {
    kind: 'learn',
    idleTimeoutSeconds: seconds('idle_timeout'),
    hardTimeoutSeconds: seconds('hard_timeout'),
    finIdleTimeoutSeconds: seconds('fin_idle_timeout'),
    finHardTimeoutSeconds: seconds('fin_hard_timeout'),
    priority: smallNumber(args.get('priority') ?? String(DEFAULT_PRIORITY), 'priority'),
    cookie: bigNumber(args.get('cookie') ?? '0', 'cookie'),
    table: tableOf(args.get('table') ?? '1', names),
    sendFlowRemoved: args.has('send_flow_rem'),
    deleteLearned: args.has('delete_learned'),
    limit: number32(args.get('limit') ?? '0', 'limit'),
    resultDst: result === undefined ? null : parseSubfield(result),
    specs: list.filter(({ key }) => !LEARN_OPTIONS.has(key)).map((spec) => learnSpec(spec, names)),
  };
}

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
  return {
    family: min4 === undefined ? 'ipv6' : 'ipv4',
    minAddress: address(min4 ?? min6),
    maxAddress: address(max4 ?? max6),
    minPort: minPort === undefined ? null : smallNumber(minPort, 'port'),
    maxPort: maxPort === undefined ? null : smallNumber(maxPort, 'port'),
  };
}

function nat(text: string | null): NatAction {
  const args = options(text);
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

const ALGS: Readonly<Record<string, number>> = { ftp: 21, tftp: 69 };

const CT_WORDS = ['commit', 'force', 'table', 'zone', 'nat', 'exec', 'alg'];

function ct(w: Word, names: NameLookup): Action {
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
    zone:
      zone === undefined
        ? 0
        : /^[\dx]/.test(zone)
          ? smallNumber(zone, 'zone')
          : parseSubfield(zone),
    table: table === undefined ? null : tableOf(table, names),
    alg: alg === undefined ? 0 : (ALGS[alg] ?? smallNumber(alg, 'alg')),
    actions: [
      ...(says('nat') ? [nat(valueIn('nat') ?? null)] : []),
      ...parseActions(valueIn('exec') ?? 'drop', names),
    ],
  };
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
  return {
    kind: 'multipath',
    fields: pick(args[0], HASHES, 'fields'),
    basis: smallNumber(args[1], 'basis'),
    algorithm: pick(args[2], MULTIPATHS, 'algorithm'),
    links: number32(args[3], 'n_links'),
    arg: number32(args[4], 'arg'),
    dst: parseSubfield(args[5]),
  };
}

function bundle(w: Word, names: NameLookup): Action {
  const [fields = '', basis = '', algorithm = '', type = '', ...others] = splitArguments(need(w));
  if (type !== 'ofport') fault(`${need(w)}: unknown member_type \`${type}'`);
  const dst = w.key === 'bundle_load' ? parseSubfield(others.shift() ?? '') : null;
  const members = others.join(',').replace(/^(members|slaves):/, '');
  return {
    kind: 'bundle',
    fields: pick(fields, HASHES, 'fields'),
    basis: smallNumber(basis, 'basis'),
    algorithm: pick(algorithm, ['active_backup', 'hrw'], 'algorithm'),
    members: splitArguments(members).map((port) => knownPort(port, names)),
    dst,
  };
}

function sample(w: Word, names: NameLookup): Action {
  const args = options(w.value);
  const port = args.get('sampling_port');
  const probability = smallNumber(args.get('probability') ?? '0', 'probability');
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
  const bytes = hexBytes(w.value ?? '');
  // A note fills its action: 6 bytes, then whole 8-byte units.
  const padded = new Uint8Array(6 + 8 * Math.ceil(Math.max(0, bytes.length - 6) / 8));
  padded.set(bytes);
  return { kind: 'note', data: padded };
}

function conjunction(w: Word): Action {
  const found =
    /^\s*(\w+)\s*,\s*(\d+)\s*\/\s*(\d+)\s*$/.exec(need(w)) ?? fault(`${need(w)}: bad conjunction`);
  const clauses = smallNumber(found[3], 'clauses', 8);
  const clause = smallNumber(found[2], 'clause', 8) - 1;
  if (clauses < 2 || clauses > 64 || clause < 0 || clause >= clauses) {
    fault(`${need(w)}: conjunction needs 2 to 64 clauses and one of them`);
  }
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

const mac = (w: Word): bigint => parseValue(namedField('eth_src'), need(w)).value;
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
  const packetType = ENCAPS[header?.key ?? ''] ?? fault(`Encap hdr not supported: ${need(w)}`);
  const properties = words(header.value ?? '').map((one) => {
    if (one.key === 'md_type') return { class: 4, type: 1, data: Uint8Array.of(u8(one)) };
    if (one.key !== 'tlv') fault(`Invalid property: ${one.key}`);
    const [tlvClass = '', type = '', value = ''] = splitArguments(one.value ?? '');
    const digits = bigNumber(value, 'tlv value', 992).toString(16);
    const bytes = hexBytes(digits.length % 2 ? `0${digits}` : digits);
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
    vid: smallNumber(need(w), w.key, 12),
    pushIfNeeded,
  });

const setPcp =
  (pushIfNeeded: boolean): Reader =>
  (w) => ({
    kind: 'setVlanPcp',
    pcp: smallNumber(need(w), w.key, 3),
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
  const [port = '', queue = ''] = need(w).split(/[:,]/);
  return { kind: 'enqueue', port: knownPort(port, names), queue: number32(queue, 'queue') };
};

const checkPktLarger: Reader = (w) => ({
  kind: 'checkPktLarger',
  bytes: u16(w),
  dst: parseSubfield(w.target ?? fault(`${w.key}: missing \`->'`)),
});

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
  push_vlan: (w) => ({ kind: 'pushVlan', ethType: u16(w) }),
  mod_dl_src: (w) => ({ kind: 'setEthSrc', mac: mac(w) }),
  mod_dl_dst: (w) => ({ kind: 'setEthDst', mac: mac(w) }),
  mod_nw_src: (w) => ({ kind: 'setIpv4Src', address: ip(w) }),
  mod_nw_dst: (w) => ({ kind: 'setIpv4Dst', address: ip(w) }),
  mod_nw_tos: (w) => ({ kind: 'setIpTos', tos: u8(w) }),
  mod_nw_ecn: (w) => ({ kind: 'setIpEcn', ecn: smallNumber(need(w), w.key, 2) }),
  mod_nw_ttl: (w) => ({ kind: 'setIpTtl', ttl: u8(w) }),
  mod_tp_src: (w) => ({ kind: 'setTpSrc', port: u16(w) }),
  mod_tp_dst: (w) => ({ kind: 'setTpDst', port: u16(w) }),
  set_field: setField,
  load,
  move,
  push: (w) => ({ kind: 'push', src: parseSubfield(need(w)) }),
  pop: (w) => ({ kind: 'pop', dst: parseSubfield(need(w)) }),
  delete_field: deleteField,
  multipath,
  check_pkt_larger: checkPktLarger,
  dec_ttl: decTtl,
  copy_ttl_out: plain({ kind: 'copyTtlOut' }),
  copy_ttl_in: plain({ kind: 'copyTtlIn' }),
  set_mpls_label: (w) => ({ kind: 'setMplsLabel', label: smallNumber(need(w), w.key, 20) }),
  set_mpls_tc: (w) => ({ kind: 'setMplsTc', tc: smallNumber(need(w), w.key, 3) }),
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
  ct,
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

function parseAction(w: Word, names: NameLookup): Action {
  const reader = READERS[w.key.toLowerCase()];
  if (reader !== undefined) return reader({ ...w, key: w.key.toLowerCase() }, names);
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
