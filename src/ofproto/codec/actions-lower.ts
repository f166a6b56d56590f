/**
 * Between model and wire: which actions a version has for what the model says. OpenFlow 1.2 replaced single setters by
 * set-field, 1.0 and 1.1 have setters and Nicira's register load, and only 1.5 masks set-fields; the choices are Open
 * vSwitch's, so that a flow dumped in another version than it was added in looks the same.
 */
import type { Action, ActionOf } from '../../flowtable/action.ts';
import { fullMask, tunMetadataIndex } from '../../packet/fields.ts';
import { hasNxmHeader } from './action-form.ts';
import { namedField } from './match-fields.ts';
import type { WireContext } from './reader.ts';
import { OF10, OF12, OF13, OF15, type OfVersion } from './versions.ts';

const ETH_VLAN = 0x8100;
const VLAN_VID = namedField('vlan_vid');
const VLAN_PCP = namedField('vlan_pcp');
const NW_ECN = namedField('nw_ecn');
const NW_TTL = namedField('nw_ttl');
const IP_DSCP = namedField('ip_dscp');
const PORTS: Readonly<Record<number, readonly [string, string]>> = {
  6: ['tcp_src', 'tcp_dst'],
  17: ['udp_src', 'udp_dst'],
  132: ['sctp_src', 'sctp_dst'],
};

const set = (field: ActionOf<'setField'>['field'], value: bigint): Action => ({
  kind: 'setField',
  field,
  value,
  mask: fullMask(field),
});

const setNamed = (name: string, value: bigint): Action => set(namedField(name), value);

const loadWhole = (field: ActionOf<'setField'>['field'], value: number): Action => ({
  kind: 'load',
  dst: { field, offset: 0, bits: field.bits },
  value: BigInt(value),
});

/** Runs of ones of the mask, 64 bits at most, from the lowest: a register load for each. */
function loads({ field, value, mask }: ActionOf<'setField'>): Action[] {
  const list: Action[] = [];
  for (let at = 0; at < field.bits; ) {
    if (((mask >> BigInt(at)) & 1n) === 0n) {
      at++;
      continue;
    }
    let end = at + 1;
    while (end < field.bits && end - at < 64 && ((mask >> BigInt(end)) & 1n) === 1n) end++;
    const bits = end - at;
    const part = (value >> BigInt(at)) & ((1n << BigInt(bits)) - 1n);
    list.push({ kind: 'load', dst: { field, offset: at, bits }, value: part });
    at = end;
  }
  return list;
}

/** A set-field as Nicira's loads, or as it is for NXAST_REG_LOAD2 where those cannot name the field. */
const asLoads = (action: ActionOf<'setField'>): Action[] =>
  hasNxmHeader(action.field) && tunMetadataIndex(action.field) === undefined
    ? loads(action)
    : [action];

const MAX_LOAD_BITS = 64;

/** A load longer than NXAST_REG_LOAD has room for is several, the lowest bits first. */
function shortLoads(action: ActionOf<'load'>): readonly Action[] {
  const { dst, value } = action;
  if (dst.bits <= MAX_LOAD_BITS) return [action];
  const ones = ((1n << BigInt(dst.bits)) - 1n) << BigInt(dst.offset);
  return asLoads({
    kind: 'setField',
    field: dst.field,
    value: value << BigInt(dst.offset),
    mask: ones,
  });
}

function vlanTci(value: bigint, version: OfVersion, hasVlan: boolean): Action[] {
  const tci = Number(value);
  if ((tci & 0x1000) === 0) return [{ kind: 'stripVlan' }];
  const push: Action[] =
    version === OF10 || hasVlan ? [] : [{ kind: 'pushVlan', ethType: ETH_VLAN }];
  const old = { pushIfNeeded: version === OF10 } as const;
  return [
    ...push,
    { kind: 'setVlanVid', vid: tci & 0xfff, ...old },
    { kind: 'setVlanPcp', pcp: tci >>> 13, ...old },
  ];
}

/** Set-field for 1.0 and 1.1. */
function legacySetField(action: ActionOf<'setField'>, context: WireContext): Action[] {
  const { field, value, mask } = action;
  if (mask !== fullMask(field)) return asLoads(action);
  const n = Number(value & 0xffffffffn);
  const old = { pushIfNeeded: context.version === OF10 } as const;
  switch (field.name) {
    case 'vlan_tci':
      return vlanTci(value, context.version, context.flow?.hasVlan ?? false);
    case 'vlan_vid':
      return [{ kind: 'setVlanVid', vid: n, ...old }];
    case 'vlan_pcp':
      return [{ kind: 'setVlanPcp', pcp: n, ...old }];
    case 'eth_src':
      return [{ kind: 'setEthSrc', mac: value }];
    case 'eth_dst':
      return [{ kind: 'setEthDst', mac: value }];
    case 'ip_src':
      return [{ kind: 'setIpv4Src', address: n }];
    case 'ip_dst':
      return [{ kind: 'setIpv4Dst', address: n }];
    case 'nw_tos':
      return [{ kind: 'setIpTos', tos: n }];
    case 'ip_dscp':
      return [{ kind: 'setIpTos', tos: n << 2 }];
    case 'nw_ecn':
      return context.version === OF10 ? [loadWhole(NW_ECN, n)] : [{ kind: 'setIpEcn', ecn: n }];
    case 'tcp_src':
    case 'udp_src':
      return [{ kind: 'setTpSrc', port: n }];
    case 'tcp_dst':
    case 'udp_dst':
      return [{ kind: 'setTpDst', port: n }];
    default:
      return asLoads(action);
  }
}

const ports = (context: WireContext): readonly [string, string] | undefined =>
  PORTS[context.flow?.ipProto ?? 0];

/** What OpenFlow 1.2 and later say with set-field. */
function modern(action: Action, context: WireContext): Action[] {
  const pushed = (pushIfNeeded: boolean): Action[] =>
    pushIfNeeded && context.flow?.hasVlan !== true ? [{ kind: 'pushVlan', ethType: ETH_VLAN }] : [];
  switch (action.kind) {
    case 'setVlanVid':
      return [...pushed(action.pushIfNeeded), set(VLAN_VID, BigInt(action.vid))];
    case 'setVlanPcp':
      return [...pushed(action.pushIfNeeded), set(VLAN_PCP, BigInt(action.pcp))];
    case 'setEthSrc':
      return [setNamed('eth_src', action.mac)];
    case 'setEthDst':
      return [setNamed('eth_dst', action.mac)];
    case 'setIpv4Src':
      return [setNamed('ip_src', BigInt(action.address))];
    case 'setIpv4Dst':
      return [setNamed('ip_dst', BigInt(action.address))];
    case 'setIpTos':
      return [set(IP_DSCP, BigInt(action.tos >>> 2))];
    case 'setIpEcn':
      return [set(NW_ECN, BigInt(action.ecn))];
    case 'setTpSrc': {
      const names = ports(context);
      return [names === undefined ? action : setNamed(names[0], BigInt(action.port))];
    }
    case 'setTpDst': {
      const names = ports(context);
      return [names === undefined ? action : setNamed(names[1], BigInt(action.port))];
    }
    case 'setMplsLabel':
      return [setNamed('mpls_label', BigInt(action.label))];
    case 'setMplsTc':
      return [setNamed('mpls_tc', BigInt(action.tc))];
    case 'setTunnel':
      return [setNamed('tun_id', action.id)];
    default:
      return [action];
  }
}

/** What OpenFlow 1.0 and 1.1 lack. */
function old(action: Action, context: WireContext): Action[] {
  const { version } = context;
  switch (action.kind) {
    case 'setField':
      return legacySetField(action, context);
    case 'setVlanVid':
    case 'setVlanPcp':
      // Setting pushes in 1.0 and does not in 1.1.
      return version !== OF10 && action.pushIfNeeded && context.flow?.hasVlan !== true
        ? [{ kind: 'pushVlan', ethType: ETH_VLAN }, action]
        : [action];
    case 'setIpEcn':
      return version === OF10 ? [loadWhole(NW_ECN, action.ecn)] : [action];
    case 'setIpTtl':
      return version === OF10 ? [loadWhole(NW_TTL, action.ttl)] : [action];
    default:
      return [action];
  }
}

/** The actions to write for one of the model. What the version cannot say is for the table of forms to leave out. */
export function lowerAction(action: Action, context: WireContext): readonly Action[] {
  const { version } = context;
  if (version !== OF10 && action.kind === 'enqueue') {
    return [
      { kind: 'setQueue', queue: action.queue },
      { kind: 'output', port: action.port, maxBytes: 0xffff },
      { kind: 'popQueue' },
    ];
  }
  if (version < OF15 && action.kind === 'load') return shortLoads(action);
  if (version < OF12) return old(action, context);
  if (version >= OF15 && action.kind === 'load') {
    const { dst, value } = action;
    const shift = BigInt(dst.offset);
    const mask = ((1n << BigInt(dst.bits)) - 1n) << shift;
    return [{ kind: 'setField', field: dst.field, value: value << shift, mask }];
  }
  if (version < OF15 && action.kind === 'setField' && action.mask !== fullMask(action.field)) {
    return asLoads(action);
  }
  return modern(action, context);
}

/** Versions in which the meter is an instruction. */
export const meterIsInstruction = (version: OfVersion): boolean =>
  version >= OF13 && version < OF15;
