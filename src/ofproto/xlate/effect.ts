/**
 * What translating a flow entails besides its program, as data. Translation itself changes nothing; the
 * upcall applies the effects once for the missed frame, a statistics push applies them again with what the
 * megaflow has counted since, and revalidation and traces apply none.
 */
import type { Rule } from '../../flowtable/rule.ts';
import type { Bridge } from '../bridge.ts';
import type { BridgePort } from '../bridge-port.ts';
import type { Bundle } from '../bundle.ts';

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
  /** A rule decided about the traffic. */
  | { readonly kind: 'creditRule'; readonly rule: Rule }
  /** Traffic passed from one patch port to its peer. */
  | { readonly kind: 'creditPatch'; readonly from: BridgePort; readonly to: BridgePort };

/**
 * Applies effects for `packets` frames of `bytes` bytes, the last one at `usedMs`. True when a MAC table
 * changed in a way that makes other megaflows stale.
 */
export function applyEffects(
  effects: readonly Effect[],
  packets: number,
  bytes: number,
  usedMs: number,
): boolean {
  let changed = false;
  for (const effect of effects) {
    switch (effect.kind) {
      case 'learnMac':
        if (effect.bridge.learn(effect, usedMs)) changed = true;
        break;
      case 'creditRule':
        effect.rule.credit(packets, bytes, usedMs);
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
