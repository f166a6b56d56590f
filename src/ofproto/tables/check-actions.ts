/**
 * Whether a list of actions may stand in a flow: what does not depend on how it was encoded. Each refusal is the error
 * that the specification names, or Open vSwitch's where that differs.
 *
 * An action must be consistent with the flow's match: setting a TCP port takes a flow that matches TCP. Actions that OpenFlow 1.0 has itself
 * need not be so in that version. Pushing a tag makes the actions behind it consistent, popping MPLS changes the Ethernet type.
 */
import type { Action, Subfield } from '../../flowtable/action.ts';
import type { Match } from '../../flowtable/match.ts';
import { wordOf } from '../../flowtable/match.ts';
import { LAST_OF_PORT, OFPP_IN_PORT, OFPP_LOCAL, type OfPort } from '../../flowtable/of-port.ts';
import type { Field } from '../../packet/fields.ts';
import { ETH_TYPE_PROTO, PACKET_TYPE, TP, VLAN_CFI, VLAN0 } from '../../packet/key.ts';
import { actionBits } from '../codec/action-form.ts';
import { type OfError, OfVersion } from '../model.ts';
import { ACTION_SET_KINDS } from '../xlate/action-set.ts';
import { TABLE_COUNT } from './flow-table.ts';

const OFPM_MAX = 0xffff0000;
const OFPG_MAX = 0xffffff00;

/** What is known of the frames that a flow takes, action by action. */
interface Known {
  ethType: number;
  proto: number;
  icmpType: number;
  hasVlan: boolean;
}

/** What of a switch actions may speak of. */
export interface ActionHost {
  /** Null where there is none. */
  readonly groups: { readonly find: (id: number) => unknown };
  readonly meters: { readonly find: (id: number) => unknown };
  readonly vlanLimit: number;
  /** Tables that can be gone to; as many as a bridge has when it is not said. */
  readonly tableCount?: number;
}

const fail = (error: string): OfError => ({ error });

function knownOf(match: Match): Known {
  const types = wordOf(match, ETH_TYPE_PROTO);
  const tp = wordOf(match, TP);
  const vlan = wordOf(match, VLAN0);
  const packet = wordOf(match, PACKET_TYPE);
  const ethType = types.mask >>> 16 === 0xffff ? types.value >>> 16 : 0;
  return {
    // 1 is OFPHTN_ETHERTYPE.
    ethType: packet.value >>> 16 === 1 ? packet.value & 0xffff : ethType,
    proto: (types.mask & 0xff00) === 0xff00 ? (types.value >>> 8) & 0xff : -1,
    icmpType: tp.mask >>> 16 >= 0xff ? tp.value >>> 16 : -1,
    hasVlan: (vlan.mask & vlan.value & VLAN_CFI) !== 0,
  };
}

/** `tableId` null where no table is meant (packet-out, bucket). */
export function checkActions(
  bridge: ActionHost,
  actions: readonly Action[],
  match: Match | null,
  tableId: number | null,
  version: OfVersion,
): OfError | null {
  const known = match === null ? null : knownOf(match);
  const isStrict = version > OfVersion.OF10;
  const clauses = actions.filter((a) => a.kind === 'conjunction').length;
  if (clauses > 0 && actions.some((a) => a.kind !== 'conjunction' && a.kind !== 'note')) {
    return fail('NXBAC_BAD_CONJUNCTION');
  }
  for (const action of actions) {
    const error = checkOne(bridge, action, known, tableId, version, isStrict);
    if (error !== null) return error;
  }
  return null;
}

function checkPort(port: OfPort): OfError | null {
  if (port <= LAST_OF_PORT) return null;
  return port >= OFPP_IN_PORT && port <= OFPP_LOCAL ? null : fail('OFPBAC_BAD_OUT_PORT');
}

function checkOne(
  bridge: ActionHost,
  action: Action,
  known: Known | null,
  tableId: number | null,
  version: OfVersion,
  isStrict: boolean,
): OfError | null {
  const inconsistent = (is: boolean): OfError | null =>
    is && isStrict && known !== null ? fail('OFPBAC_MATCH_INCONSISTENT') : null;
  const isIp = known !== null && (known.ethType === 0x0800 || known.ethType === 0x86dd);
  const isMpls = known !== null && (known.ethType === 0x8847 || known.ethType === 0x8848);
  switch (action.kind) {
    case 'output':
      return checkPort(action.port);
    case 'outputTrunc':
      return action.port > LAST_OF_PORT &&
        action.port !== OFPP_LOCAL &&
        action.port !== OFPP_IN_PORT
        ? fail('OFPBAC_BAD_OUT_PORT')
        : null;
    case 'enqueue':
      if (
        action.port > LAST_OF_PORT &&
        action.port !== OFPP_IN_PORT &&
        action.port !== OFPP_LOCAL
      ) {
        return fail('OFPBAC_BAD_OUT_PORT');
      }
      return null;
    case 'bundle':
      return action.members.some((p) => p > LAST_OF_PORT && p !== OFPP_LOCAL && p !== OFPP_IN_PORT)
        ? fail('OFPBAC_BAD_OUT_PORT')
        : action.dst === null
          ? null
          : subfield(action.dst, known, true);
    case 'group':
      if (action.groupId > OFPG_MAX) return fail('OFPBAC_BAD_OUT_GROUP');
      return bridge.groups.find(action.groupId) === null ? fail('OFPBAC_BAD_OUT_GROUP') : null;
    case 'meter': {
      const { meterId } = action;
      if (meterId === 0 || meterId > OFPM_MAX) return fail('OFPMMFC_INVALID_METER');
      return bridge.meters.find(meterId) === null ? fail('OFPMMFC_INVALID_METER') : null;
    }
    case 'setVlanVid':
    case 'setVlanPcp': {
      const missing = known !== null && !known.hasVlan && !action.pushIfNeeded;
      if (known !== null) known.hasVlan = true;
      return inconsistent(missing);
    }
    case 'stripVlan': {
      const missing = known !== null && !known.hasVlan;
      // Behind the tag there may be another, unless the match says what there is.
      const isLast = bridge.vlanLimit < 2 || known?.ethType !== 0;
      if (known !== null && isLast) known.hasVlan = false;
      return inconsistent(missing);
    }
    case 'pushVlan':
      if (action.ethType !== 0x8100 && action.ethType !== 0x88a8)
        return fail('OFPBAC_BAD_ARGUMENT');
      if (known !== null) known.hasVlan = true;
      return null;
    case 'setIpv4Src':
    case 'setIpv4Dst':
      return inconsistent(known?.ethType !== 0x0800);
    case 'setIpTos':
    case 'setIpEcn':
    case 'setIpTtl':
    case 'decTtl':
      return inconsistent(!isIp);
    case 'setTpSrc':
    case 'setTpDst':
      return inconsistent(!isIp || ![1, 6, 17, 58, 132].includes(known?.proto ?? -1));
    case 'setMplsLabel':
    case 'setMplsTc':
    case 'setMplsTtl':
    case 'decMplsTtl':
      return inconsistent(!isMpls);
    case 'pushMpls':
      if (action.ethType !== 0x8847 && action.ethType !== 0x8848)
        return fail('OFPBAC_BAD_ARGUMENT');
      if (known !== null) {
        known.ethType = action.ethType;
        known.proto = -1;
      }
      return null;
    case 'popMpls': {
      const error = inconsistent(!isMpls);
      if (known !== null) {
        known.ethType = action.ethType;
        known.proto = -1;
      }
      return error;
    }
    case 'pushPbb':
      if (action.ethType !== 0x88e7) return fail('OFPBAC_BAD_ARGUMENT');
      if (known !== null) Object.assign(known, { ethType: 0x88e7, proto: -1, hasVlan: false });
      return null;
    case 'popPbb': {
      const error = inconsistent(known?.ethType !== 0x88e7);
      if (known !== null) Object.assign(known, { ethType: 0, proto: -1 });
      return error;
    }
    case 'setField': {
      const error = field(action.field, known, true);
      if (known !== null && action.field.name === 'vlan_vid') known.hasVlan = true;
      return error;
    }
    case 'load':
      return subfield(action.dst, known, true);
    case 'move':
      return subfield(action.src, known, false) ?? subfield(action.dst, known, true);
    case 'push':
      return subfield(action.src, known, false);
    case 'ct':
      return known !== null && !isIp ? fail('OFPBAC_MATCH_INCONSISTENT') : null;
    case 'finTimeout':
      return inconsistent(!isIp || known?.proto !== 6);
    case 'deleteField':
      return action.field.name.startsWith('tun_metadata') ? null : fail('OFPBAC_BAD_ARGUMENT');
    case 'checkPktLarger':
      // What the destination needs is not asked, as in the original.
      return subfield(action.dst, null, true);
    case 'pop':
    case 'multipath':
      return subfield(action.dst, known, true);
    case 'outputReg':
      return subfield(action.src, known, false);
    case 'conjunction':
      return action.clauses < 2 || action.clauses > 64 || action.clause >= action.clauses
        ? fail('NXBAC_BAD_CONJUNCTION')
        : null;
    case 'learn':
      return action.table >= TABLE_COUNT ? fail('OFPBRC_BAD_TABLE_ID') : null;
    case 'gotoTable':
      return (tableId !== null && action.table <= tableId) ||
        action.table >= (bridge.tableCount ?? TABLE_COUNT)
        ? fail('OFPBIC_BAD_TABLE_ID')
        : null;
    case 'clone':
      return checkActions(bridge, action.actions, null, tableId, version);
    case 'writeActions': {
      for (const a of action.actions) {
        if (!ACTION_SET_KINDS.has(a.kind)) return fail('OFPBAC_BAD_TYPE');
      }
      // What the frame will be when the set is executed cannot be known.
      return checkActions(bridge, action.actions, null, tableId, version);
    }
    default:
      return null;
  }
}

function subfield(sub: Subfield, known: Known | null, written: boolean): OfError | null {
  if (sub.offset + sub.bits > actionBits(sub.field) && sub.field.at >= 0) {
    return fail(written ? 'OFPBAC_BAD_SET_LEN' : 'OFPBAC_BAD_ARGUMENT');
  }
  return field(sub.field, known, written);
}

function field(f: Field, known: Known | null, written: boolean): OfError | null {
  if (written && !f.writable) return fail('OFPBAC_BAD_SET_ARGUMENT');
  if (known === null || meets(f, known)) return null;
  return fail('OFPBAC_MATCH_INCONSISTENT');
}

function meets(f: Field, k: Known): boolean {
  const isIp = k.ethType === 0x0800 || k.ethType === 0x86dd;
  switch (f.prerequisite) {
    case 'vlan':
      return k.hasVlan;
    case 'mpls':
      return k.ethType === 0x8847 || k.ethType === 0x8848;
    case 'pbb':
      return k.ethType === 0x88e7;
    case 'ipv4':
      return k.ethType === 0x0800;
    case 'ipv6':
      return k.ethType === 0x86dd;
    case 'ip':
      return isIp;
    case 'arp':
      return k.ethType === 0x0806 || k.ethType === 0x8035;
    case 'tcp':
      return isIp && k.proto === 6;
    case 'udp':
      return isIp && k.proto === 17;
    case 'sctp':
      return isIp && k.proto === 132;
    case 'icmpv4':
      return k.ethType === 0x0800 && k.proto === 1;
    case 'icmpv6':
      return k.ethType === 0x86dd && k.proto === 58;
    case 'nd':
      return isNd(k) && (k.icmpType === 135 || k.icmpType === 136);
    case 'nd solicit':
      return isNd(k) && k.icmpType === 135;
    case 'nd advert':
      return isNd(k) && k.icmpType === 136;
    default:
      return true;
  }
}

const isNd = (k: Known): boolean => k.ethType === 0x86dd && k.proto === 58;
