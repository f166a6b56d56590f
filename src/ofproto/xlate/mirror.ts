/**
 * Copying frames to mirrors: when they come into a bridge, and each time they leave it, as they are at that moment
 * (ovs-vswitchd.conf.db(5), Mirror table). A frame goes to one destination once, however many mirrors ask for it, also after a
 * recirculation: `ctx.mirrored` has where it has been.
 *
 * Open vSwitch does not copy frames at patch ports; its manual promises every port, and here they count as any other.
 */
import { ETH_DST, ETH_DST_SRC } from '../../packet/key.ts';
import type { Bundle } from '../bundle.ts';
import { macFromHalves } from '../mac-learning.ts';
import type { Mirror } from '../mirrors.ts';
import { carries, refusal, VID_MASK, type Vlans, vidOf } from '../vlan.ts';
import type { XlateContext } from './context.ts';
import { consultVlans, outerTag, outputBundle, vlansIn } from './output-bundle.ts';
import { isReservedAddress } from './reserved-address.ts';

/** Copies the frame, that passes `bundle`, to those of `mirrors` that it was not sent to yet. */
export function mirrorFrame(ctx: XlateContext, bundle: Bundle, mirrors: readonly Mirror[]): void {
  consultVlans(ctx);
  // A frame that the port refuses is in no VLAN.
  if (refusal(bundle.vlan, bundle.name, outerTag(ctx)) !== null) return;
  const vlans = vlansIn(ctx, bundle);
  for (const mirror of mirrors) {
    if (ctx.error !== null) return;
    if (ctx.mirrored.includes(mirror.destination)) continue;
    if (mirror.vlans !== null && !mirror.vlans.has(vidOf(vlans.outer))) continue;
    // First, since the copy may be mirrored in its turn.
    ctx.mirrored = [...ctx.mirrored, mirror.destination];
    const snaplen = ctx.snaplen;
    ctx.snaplen = mirror.snaplen;
    if (send(ctx, mirror, vlans)) ctx.effects.push({ kind: 'creditMirror', mirror });
    ctx.snaplen = snaplen;
  }
}

/** True when the mirror takes the frame. */
function send(ctx: XlateContext, { settings: { output } }: Mirror, vlans: Vlans): boolean {
  const { bridge, flow, mask } = ctx;
  if ('port' in output) {
    const bundle = bridge.bundle(output.port);
    if (bundle === null) return false;
    outputBundle(ctx, bundle, vlans);
    return true;
  }
  if (vidOf(vlans.outer) === output.vlan) return false;
  mask[ETH_DST] = 0xffffffff;
  mask[ETH_DST_SRC] |= 0xffff0000;
  if (isReservedAddress(macFromHalves(flow[ETH_DST], flow[ETH_DST_SRC] >>> 16))) return false;
  const outside = { ...vlans, outer: ((vlans.outer & ~VID_MASK) | output.vlan) >>> 0 };
  for (const bundle of bridge.bundles()) {
    if (!carries(bundle.vlan, outside) || bridge.mirrors.isOutput(bundle)) continue;
    outputBundle(ctx, bundle, outside);
  }
  return true;
}
