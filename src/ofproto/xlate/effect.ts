/**
 * What translating a flow entails besides its program, as data. Translation itself changes nothing; the
 * upcall applies the effects once for the missed frame, a statistics push applies them again with what the
 * megaflow has counted since, and revalidation and traces apply none.
 */
import type { Rule } from '../../flowtable/rule.ts';
import type { Address } from '../../tunnels/tunnel-config.ts';
import type { Bridge } from '../bridge.ts';
import type { BridgePort } from '../bridge-port.ts';
import type { Bundle } from '../bundle.ts';
import type { Mirror } from '../mirrors.ts';
import type { FlowMod } from '../model.ts';
import type { FlowTable } from '../tables/flow-table.ts';
import type { Group, GroupBucket } from '../tables/group.ts';
import type { BridgedUnderlay } from '../underlay.ts';

export type Effect =
  /** The source address is behind this bundle. */
  | {
      readonly kind: 'learnMac';
      readonly bridge: Bridge;
      readonly bundle: Bundle;
      readonly mac: number;
      readonly vlan: number;
      readonly isGratuitousArp: boolean;
    }
  /** A learn action makes or refreshes a flow. */
  | {
      readonly kind: 'learnFlow';
      readonly bridge: Bridge;
      readonly mod: FlowMod;
      /** At most so many flows with the cookie in the table; 0 for no limit. */
      readonly limit: number;
    }
  /** A rule decided about the traffic. */
  | { readonly kind: 'creditRule'; readonly rule: Rule }
  /** A table was looked at, and had a rule or not. */
  | {
      readonly kind: 'creditTable';
      readonly table: FlowTable;
      readonly matched: boolean;
      /** The OpenFlow port that the packet seemed to come from. */
      readonly inPort: number;
      /** The packet had the headers that it came with. */
      readonly pristine: boolean;
    }
  /** A group was used, or one of its buckets. */
  | { readonly kind: 'creditGroup'; readonly group: Group; readonly bucket: GroupBucket | null }
  /** TCP FIN or RST shortens the timeouts of a rule. */
  | {
      readonly kind: 'finTimeout';
      readonly rule: Rule;
      readonly idleSeconds: number;
      readonly hardSeconds: number;
    }
  /** A mirror got a copy. */
  | { readonly kind: 'creditMirror'; readonly mirror: Mirror }
  /** Traffic passed a tunnel port, which has no counters of its own in the datapath. */
  | { readonly kind: 'creditTunnel'; readonly port: BridgePort; readonly direction: 'rx' | 'tx' }
  /** Bytes of the outer header that frames have for the effects that follow; negative where they lose it again. */
  | { readonly kind: 'lengthen'; readonly bytes: number }
  /** A neighbour said what its link address is; or its address was used, and is not to be forgotten for now. */
  | {
      readonly kind: 'learnNeighbor' | 'useNeighbor';
      readonly underlay: BridgedUnderlay;
      readonly bridge: string;
      readonly address: Address;
      readonly mac: string;
    }
  /** The link address of a neighbour is wanted. */
  | {
      readonly kind: 'askNeighbor';
      readonly underlay: BridgedUnderlay;
      readonly port: BridgePort;
      readonly source: Address;
      readonly target: Address;
    }
  /** Traffic passed from one patch port to its peer. */
  | { readonly kind: 'creditPatch'; readonly from: BridgePort; readonly to: BridgePort };

const TCP_FIN_OR_RST = 0x005;

/**
 * Applies effects for `packets` frames of `bytes` bytes with these TCP flags, the last one at `usedMs`. True when a
 * MAC table or a flow table changed in a way that makes other megaflows stale.
 */
export function applyEffects(
  effects: readonly Effect[],
  packets: number,
  frameBytes: number,
  usedMs: number,
  tcpFlags = 0,
): boolean {
  let changed = false;
  let bytes = frameBytes;
  for (const effect of effects) {
    switch (effect.kind) {
      case 'learnMac':
        if (effect.bridge.learn(effect, usedMs)) changed = true;
        break;
      case 'learnFlow':
        if (effect.bridge.learnFlow(effect.mod, effect.limit, usedMs)) changed = true;
        break;
      case 'creditRule':
        effect.rule.credit(packets, bytes, usedMs);
        break;
      case 'creditTable':
        if (effect.matched) effect.table.matched += packets;
        else effect.table.missed += packets;
        break;
      case 'creditGroup': {
        const stats = effect.bucket?.stats ?? effect.group.stats;
        stats.packets += packets;
        stats.bytes += bytes;
        break;
      }
      case 'finTimeout':
        if ((tcpFlags & TCP_FIN_OR_RST) !== 0) shorten(effect.rule, effect);
        break;
      case 'creditMirror':
        effect.mirror.stats.packets += packets;
        effect.mirror.stats.bytes += bytes;
        break;
      case 'creditTunnel': {
        const { stats } = effect.port;
        if (effect.direction === 'rx') {
          stats.rxPackets += packets;
          stats.rxBytes += bytes;
        } else {
          stats.txPackets += packets;
          stats.txBytes += bytes;
        }
        break;
      }
      case 'lengthen':
        bytes += packets * effect.bytes;
        break;
      case 'learnNeighbor':
      case 'useNeighbor': {
        const { kind, underlay, bridge, address, mac } = effect;
        if (kind === 'useNeighbor' && underlay.neighbor(bridge, address) !== mac) break;
        if (underlay.learnNeighbor(bridge, address, mac)) changed = true;
        break;
      }
      case 'askNeighbor':
        effect.underlay.ask(effect.port, effect.source, effect.target);
        break;
      case 'creditPatch':
        effect.from.stats.txPackets += packets;
        effect.from.stats.txBytes += bytes;
        effect.to.stats.rxPackets += packets;
        effect.to.stats.rxBytes += bytes;
        break;
    }
  }
  return changed;
}

function shorten(
  rule: Rule,
  to: { readonly idleSeconds: number; readonly hardSeconds: number },
): void {
  const less = (now: number, limit: number): number =>
    limit > 0 && (now === 0 || now > limit) ? limit : now;
  rule.idleTimeoutSeconds = less(rule.idleTimeoutSeconds, to.idleSeconds);
  rule.hardTimeoutSeconds = less(rule.hardTimeoutSeconds, to.hardSeconds);
}
