/**
 * Actions in the notation of ovs-actions(7), letter by letter as ovs-ofctl prints them: one function for each kind. Nested lists
 * are printed by the function that is handed in, so that no file imports itself.
 */
import type { Action, ActionKind, ActionOf, LearnSpec } from '../../flowtable/action.ts';
import type { OfPort } from '../../flowtable/of-port.ts';
import { fullMask } from '../../packet/fields.ts';
import {
  formatPort,
  formatSubfield,
  formatTable,
  formatValue,
  hexadecimal,
  ipv4Text,
  ipv6Text,
  macText,
  type NameOptions,
} from './field-text.ts';

const LAST_PORT = 0xfeff;
const CONTROLLER = 0xfffd;
const VLAN_PRESENT = 0x1000n;
const DEFAULT_PRIORITY = 32768;
const WHOLE = 0xffff;
const U64 = 0xffff_ffff_ffff_ffffn;

/** Bytes as `01.02.03`. */
const dotted = (bytes: Uint8Array): string =>
  Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('.');

function output(port: OfPort, maxBytes: number, names: NameOptions): string {
  if (port === CONTROLLER) return `CONTROLLER:${maxBytes}`;
  return `${port <= LAST_PORT ? 'output:' : ''}${formatPort(port, names)}`;
}

function setField({ field: f, value, mask }: ActionOf<'setField'>, names: NameOptions): string {
  const all = mask === fullMask(f);
  const present = f.name === 'vlan_vid' ? VLAN_PRESENT : 0n;
  const text = formatValue(f, value | present, all ? null : mask | present, names);
  return `set_field:${text}->${f.name}`;
}

function controller(c: ActionOf<'controller'>): string {
  const plain = c.reason === 'action' && c.controllerId === 0 && !c.pause && c.meterId === null;
  if (plain && c.userdata === null) return `CONTROLLER:${c.maxBytes}`;
  const parts = [
    ...(c.reason === 'action' ? [] : [`reason=${c.reason}`]),
    ...(c.maxBytes === WHOLE ? [] : [`max_len=${c.maxBytes}`]),
    ...(c.controllerId === 0 ? [] : [`id=${c.controllerId}`]),
    ...(c.userdata === null ? [] : [`userdata=${dotted(c.userdata)}`]),
    ...(c.pause ? ['pause'] : []),
    ...(c.meterId === null ? [] : [`meter_id=${c.meterId}`]),
  ];
  return `controller(${parts.join(',')})`;
}

function learnSpec(spec: LearnSpec, names: NameOptions): string {
  if (spec.kind === 'output') {
    return `output:${spec.src.kind === 'field' ? formatSubfield(spec.src.src) : ''}`;
  }
  const dst = formatSubfield(spec.dst);
  if (spec.kind === 'load') {
    const src =
      spec.src.kind === 'field' ? formatSubfield(spec.src.src) : hexadecimal(spec.src.value);
    return `load:${src}->${dst}`;
  }
  if (spec.src.kind === 'value') {
    const f = spec.dst.field;
    const whole = spec.dst.offset === 0 && spec.dst.bits >= f.bits;
    if (whole) return `${f.name}=${formatValue(f, spec.src.value, null, names)}`;
    return `${dst}=${hexadecimal(spec.src.value)}`;
  }
  const { src } = spec.src;
  const same = src.field === spec.dst.field && src.offset === spec.dst.offset;
  return same ? dst : `${dst}=${formatSubfield(src)}`;
}

function learn(l: ActionOf<'learn'>, names: NameOptions): string {
  const parts = [
    `table=${formatTable(l.table, names)}`,
    ...(l.idleTimeoutSeconds === 0 ? [] : [`idle_timeout=${l.idleTimeoutSeconds}`]),
    ...(l.hardTimeoutSeconds === 0 ? [] : [`hard_timeout=${l.hardTimeoutSeconds}`]),
    ...(l.finIdleTimeoutSeconds === 0 ? [] : [`fin_idle_timeout=${l.finIdleTimeoutSeconds}`]),
    ...(l.finHardTimeoutSeconds === 0 ? [] : [`fin_hard_timeout=${l.finHardTimeoutSeconds}`]),
    ...(l.priority === DEFAULT_PRIORITY ? [] : [`priority=${l.priority}`]),
    ...(l.sendFlowRemoved ? ['send_flow_rem'] : []),
    ...(l.deleteLearned ? ['delete_learned'] : []),
    ...(l.cookie === 0n ? [] : [`cookie=${hexadecimal(l.cookie)}`]),
    ...(l.limit === 0 ? [] : [`limit=${l.limit}`]),
    ...(l.resultDst === null ? [] : [`result_dst=${formatSubfield(l.resultDst)}`]),
    ...l.specs.map((spec) => learnSpec(spec, names)),
  ];
  return `learn(${parts.join(',')})`;
}

function natRange(n: ActionOf<'nat'>): string {
  const ports = n.minPort !== null;
  const one = (address: bigint): string => {
    if (n.family === 'ipv4') return ipv4Text(address);
    return ports ? `[${ipv6Text(address)}]` : ipv6Text(address);
  };
  let text = one(n.minAddress ?? 0n);
  if (n.maxAddress !== null && n.maxAddress !== n.minAddress) text += `-${one(n.maxAddress)}`;
  if (n.minPort !== null) {
    text += `:${n.minPort}`;
    if (n.maxPort !== null && n.maxPort !== n.minPort) text += `-${n.maxPort}`;
  }
  return text;
}

function nat(n: ActionOf<'nat'>): string {
  if (n.direction === null) return 'nat';
  if (n.family === null) return `nat(${n.direction})`;
  const parts = [
    `${n.direction}=${natRange(n)}`,
    ...(n.persistent ? ['persistent'] : []),
    ...(n.hash ? ['hash'] : []),
    ...(n.random ? ['random'] : []),
  ];
  return `nat(${parts.join(',')})`;
}

const ALG_NAMES: Readonly<Record<number, string>> = { 21: 'ftp', 69: 'tftp' };

type FormatList = (actions: readonly Action[], names: NameOptions) => string;

function ct(c: ActionOf<'ct'>, names: NameOptions, list: FormatList): string {
  const [first, ...others] = c.actions;
  const inner = first?.kind === 'nat' ? others : c.actions;
  const zone =
    typeof c.zone === 'number' ? (c.zone === 0 ? '' : String(c.zone)) : formatSubfield(c.zone);
  const parts = [
    ...(c.commit ? ['commit'] : []),
    ...(c.force ? ['force'] : []),
    ...(c.table === null ? [] : [`table=${formatTable(c.table, names)}`]),
    ...(zone === '' ? [] : [`zone=${zone}`]),
    ...(first?.kind === 'nat' ? [nat(first)] : []),
    ...(inner.length === 0 ? [] : [`exec(${list(inner, names)})`]),
    ...(c.alg === 0 ? [] : [`alg=${ALG_NAMES[c.alg] ?? c.alg}`]),
  ];
  return `ct(${parts.join(',')})`;
}

function sample(s: ActionOf<'sample'>, names: NameOptions): string {
  const parts = [
    `probability=${s.probability}`,
    `collector_set_id=${s.collectorSet}`,
    `obs_domain_id=${s.obsDomain}`,
    `obs_point_id=${s.obsPoint}`,
    ...(s.samplingPort === null ? [] : [`sampling_port=${formatPort(s.samplingPort, names)}`]),
    ...(s.direction === 'default' ? [] : [s.direction]),
  ];
  return `sample(${parts.join(',')})`;
}

function bundle(b: ActionOf<'bundle'>, names: NameOptions): string {
  const dst = b.dst === null ? '' : `${formatSubfield(b.dst)},`;
  const members = b.members.map((port) => formatPort(port, names)).join(',');
  const name = b.dst === null ? 'bundle' : 'bundle_load';
  return `${name}(${b.fields},${b.basis},${b.algorithm},ofport,${dst}members:${members})`;
}

function resubmit({ port, table, withCt }: ActionOf<'resubmit'>, names: NameOptions): string {
  const here = table === null || table === 0xff;
  if (port !== null && here) return `resubmit:${formatPort(port, names)}`;
  const where = here || table === null ? '' : formatTable(table, names);
  const from = port === null ? '' : formatPort(port, names);
  return `resubmit(${from},${where}${withCt ? ',ct' : ''})`;
}

function finTimeout({ idleSeconds, hardSeconds }: ActionOf<'finTimeout'>): string {
  const parts = [
    ...(idleSeconds === 0 ? [] : [`idle_timeout=${idleSeconds}`]),
    ...(hardSeconds === 0 ? [] : [`hard_timeout=${hardSeconds}`]),
  ];
  return `fin_timeout(${parts.join(',')})`;
}

const ENCAP_NAMES: Readonly<Record<number, string>> = {
  0: 'ethernet',
  100687: 'nsh',
  100423: 'mpls',
  100424: 'mpls_mc',
};
const NSH_CLASS = 4;

function encap({ packetType, properties }: ActionOf<'encap'>): string {
  const name = ENCAP_NAMES[packetType] ?? hexadecimal(packetType);
  const texts = properties.map(({ class: propertyClass, type, data }) => {
    if (propertyClass !== NSH_CLASS) return `${propertyClass}:${type}`;
    if (type === 1) return `md_type=${data[0]}`;
    const tlvClass = `0x${((data[0] << 8) | data[1]).toString(16).padStart(4, '0')}`;
    const payload = data.subarray(4, 4 + (data[3] ?? 0));
    const value = payload.reduce((n, b) => (n << 8n) | BigInt(b), 0n);
    return `tlv(${tlvClass},${data[2]},${hexadecimal(value)})`;
  });
  return `encap(${name}${texts.length === 0 ? '' : `(${texts.join(',')})`})`;
}

function decap({ newPacketType: type }: ActionOf<'decap'>): string {
  if (type === null) return 'decap()';
  return `decap(packet_type(ns=${type >>> 16},type=${hexadecimal(type & 0xffff)}))`;
}

const masked = (value: bigint, mask: bigint): string =>
  mask === U64 ? hexadecimal(value) : `${hexadecimal(value)}/${hexadecimal(mask)}`;

const MAX_LOAD_BITS = 64;

/** In parts as long as NXAST_REG_LOAD can have, the lowest bits first. */
function load({ dst, value }: ActionOf<'load'>): string {
  const parts: string[] = [];
  for (let at = 0; at < dst.bits; at += MAX_LOAD_BITS) {
    const bits = Math.min(MAX_LOAD_BITS, dst.bits - at);
    const part = (value >> BigInt(at)) & ((1n << BigInt(bits)) - 1n);
    const into = formatSubfield({ field: dst.field, offset: dst.offset + at, bits });
    parts.push(`load:${hexadecimal(part)}->${into}`);
  }
  return parts.join(',');
}

type Formatters = {
  readonly [K in ActionKind]: (a: ActionOf<K>, names: NameOptions, list: FormatList) => string;
};

const FORMATTERS: Formatters = {
  normal: () => 'NORMAL',
  output: (a, names) => output(a.port, a.maxBytes, names),
  outputTrunc: (a, names) => `output(port=${formatPort(a.port, names)},max_len=${a.maxBytes})`,
  outputReg: (a) => `output:${formatSubfield(a.src)}`,
  enqueue: (a, names) => `enqueue:${formatPort(a.port, names)}:${a.queue}`,
  controller,
  bundle,
  group: (a) => `group:${a.groupId}`,
  setVlanVid: (a) => `${a.pushIfNeeded ? 'mod' : 'set'}_vlan_vid:${a.vid}`,
  setVlanPcp: (a) => `${a.pushIfNeeded ? 'mod' : 'set'}_vlan_pcp:${a.pcp}`,
  stripVlan: (a) => (a.pop === true ? 'pop_vlan' : 'strip_vlan'),
  pushVlan: (a) => `push_vlan:${hexadecimal(a.ethType)}`,
  setEthSrc: (a) => `mod_dl_src:${macText(a.mac)}`,
  setEthDst: (a) => `mod_dl_dst:${macText(a.mac)}`,
  setIpv4Src: (a) => `mod_nw_src:${ipv4Text(BigInt(a.address))}`,
  setIpv4Dst: (a) => `mod_nw_dst:${ipv4Text(BigInt(a.address))}`,
  setIpTos: (a) => `mod_nw_tos:${a.tos}`,
  setIpEcn: (a) => `mod_nw_ecn:${a.ecn}`,
  setIpTtl: (a) => `mod_nw_ttl:${a.ttl}`,
  setTpSrc: (a) => `mod_tp_src:${a.port}`,
  setTpDst: (a) => `mod_tp_dst:${a.port}`,
  setField,
  load,
  move: (a) => `move:${formatSubfield(a.src)}->${formatSubfield(a.dst)}`,
  push: (a) => `push:${formatSubfield(a.src)}`,
  pop: (a) => `pop:${formatSubfield(a.dst)}`,
  deleteField: (a) => `delete_field:${a.field.name}`,
  multipath: (a) =>
    `multipath(${a.fields},${a.basis},${a.algorithm},${a.links},${a.arg},${formatSubfield(a.dst)})`,
  checkPktLarger: (a) => `check_pkt_larger(${a.bytes})->${formatSubfield(a.dst)}`,
  decTtl: ({ controllerIds: ids }) =>
    ids.length === 1 && ids[0] === 0 ? 'dec_ttl' : `dec_ttl(${ids.join(',')})`,
  copyTtlOut: () => 'copy_ttl_out',
  copyTtlIn: () => 'copy_ttl_in',
  setMplsLabel: (a) => `set_mpls_label(${a.label})`,
  setMplsTc: (a) => `set_mpls_tc(${a.tc})`,
  setMplsTtl: (a) => `set_mpls_ttl(${a.ttl})`,
  decMplsTtl: () => 'dec_mpls_ttl',
  pushMpls: (a) => `push_mpls:0x${a.ethType.toString(16).padStart(4, '0')}`,
  popMpls: (a) => `pop_mpls:0x${a.ethType.toString(16).padStart(4, '0')}`,
  pushPbb: (a) => `push_pbb:0x${a.ethType.toString(16).padStart(4, '0')}`,
  popPbb: () => 'pop_pbb',
  decNshTtl: () => 'dec_nsh_ttl',
  encap,
  decap,
  setTunnel: (a) => `set_tunnel${a.is64 || a.id >> 32n !== 0n ? '64' : ''}:${hexadecimal(a.id)}`,
  setQueue: (a) => `set_queue:${a.queue}`,
  popQueue: () => 'pop_queue',
  finTimeout,
  resubmit,
  learn,
  conjunction: (a) => `conjunction(${a.id},${a.clause + 1}/${a.clauses})`,
  clone: (a, names, list) => `clone(${list(a.actions, names)})`,
  ct,
  ctClear: () => 'ct_clear',
  nat,
  sample,
  note: (a) => `note:${dotted(a.data)}`,
  exit: () => 'exit',
  debugRecirc: () => 'debug_recirc',
  debugSlow: () => 'debug_slow',
  drop: () => 'drop',
  meter: (a) => `meter:${a.meterId}`,
  clearActions: () => 'clear_actions',
  writeActions: (a, names, list) => `write_actions(${list(a.actions, names)})`,
  writeMetadata: (a) => `write_metadata:${masked(a.value, a.mask)}`,
  gotoTable: (a, names) => `goto_table:${formatTable(a.table, names)}`,
};

function formatAction<K extends ActionKind>(
  action: ActionOf<K> & { kind: K },
  names: NameOptions,
): string {
  const formatter: (a: ActionOf<K>, names: NameOptions, list: FormatList) => string =
    FORMATTERS[action.kind];
  return formatter(action, names, formatActions);
}

/** The list with commas; "drop" for an empty one. */
export function formatActions(actions: readonly Action[], names: NameOptions = {}): string {
  return actions.length === 0 ? 'drop' : actions.map((a) => formatAction(a, names)).join(',');
}
