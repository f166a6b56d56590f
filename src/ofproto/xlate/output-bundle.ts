/** Output to a bundle: to the member that delivers for it, with the tags that its VLAN configuration asks for. */

import { VLAN_CFI } from '../../packet/key.ts';
import type { Bundle } from '../bundle.ts';
import { inputVlans, outputTags, PCP_MASK, VID_MASK, type Vlans, vidOf } from '../vlan.ts';
import type { XlateContext } from './context.ts';
import { outputPort } from './output-port.ts';

/** Notes that the VLANs of the frame are looked at, for a bundle's configuration or a mirror's. */
export function consultVlans(ctx: XlateContext): void {
  ctx.vlans.consult(0, VID_MASK | VLAN_CFI);
  // Where a second tag is told apart, ports carry, expose and drop frames by it in many ways.
  ctx.vlans.consult(1, 0xffffffff);
  // A priority tag is a tag or none by its PCP alone; see outputTags.
  const outer = outerTag(ctx);
  if (outer !== 0 && vidOf(outer) === 0) ctx.vlans.consult(0, PCP_MASK);
}

export const outerTag = (ctx: XlateContext): number =>
  ctx.vlans.tags.length > 0 ? ctx.vlans.tags[0] : 0;

/** The VLANs that the frame is in for this bundle, which admits it. */
export const vlansIn = (ctx: XlateContext, bundle: Bundle): Vlans =>
  inputVlans(bundle.vlan, outerTag(ctx), ctx.vlans.tags.length > 1 ? ctx.vlans.tags[1] : 0);

export function outputBundle(ctx: XlateContext, to: Bundle, vlans: Vlans): void {
  const member = to.activeMember();
  if (member === null) {
    const reason = to.isBond ? 'datapath_drop_invalid_bond' : 'drop_action_of_pipeline';
    ctx.drop(reason, 'no enabled port in the output bundle, dropping');
    return;
  }
  const pcp = outerTag(ctx) & PCP_MASK;
  const before = ctx.vlans.tags;
  const tags = outputTags(to.vlan, vlans, pcp);
  // A priority tag takes its PCP from the tag that came in.
  const exactly = to.vlan.priorityTags !== 'no';
  if (exactly) ctx.vlans.consult(0, PCP_MASK);
  ctx.vlans.setTags(tags);
  outputPort(ctx, member, exactly);
  ctx.vlans.setTags(before);
}
