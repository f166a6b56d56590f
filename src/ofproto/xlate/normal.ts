/**
 * The NORMAL action: the bridge as a learning VLAN switch.
 *
 * Consulted for every frame: both addresses, and VID and presence of the outer tag; PCP only where a tag is
 * rewritten. ARP broadcasts also have operation and addresses consulted, to tell gratuitous ones.
 */
import { OFPP_NONE, ofPort } from '../../flowtable/of-port.ts';
import {
  ETH_DST,
  ETH_DST_SRC,
  ETH_SRC,
  ETH_TYPE_PROTO,
  IPV4_DST,
  IPV4_SRC,
  OF_IN_PORT,
} from '../../packet/key.ts';
import { Bundle, DEFAULT_BUNDLE } from '../bundle.ts';
import { formatMac, isMulticastMac, macFromHalves } from '../mac-learning.ts';
import { OFPPC_NO_FLOOD } from '../port-flags.ts';
import { carries, refusal, type Vlans, vidOf } from '../vlan.ts';
import type { XlateContext } from './context.ts';
import { consultVlans, outerTag, outputBundle, vlansIn } from './output-bundle.ts';
import { isReservedAddress } from './reserved-address.ts';

const ETH_TYPE_ARP = 0x0806;
const BROADCAST = 0xffffffffffff;

/** What frames of a controller, that came in nowhere, come through: a trunk of everything. */
const NOWHERE = new Bundle('OFPP_NONE', DEFAULT_BUNDLE);

export function normal(ctx: XlateContext): void {
  const { flow, mask } = ctx;
  // One more port may follow each.
  ctx.isLast = false;
  mask[ETH_DST] = mask[ETH_DST_SRC] = mask[ETH_SRC] = 0xffffffff;
  consultVlans(ctx);

  // As actions left it: a changed in_port is honoured.
  const { bridge } = ctx;
  const inPort = bridge.port(ofPort(flow[OF_IN_PORT]));
  const isNowhere = flow[OF_IN_PORT] === OFPP_NONE;
  const bundle = inPort?.bundle ?? (isNowhere ? NOWHERE : null);
  if (bundle === null) {
    ctx.drop('drop_port_receive_disabled', 'no input bundle, dropping');
    return;
  }
  const refused = refusal(bundle.vlan, bundle.name, outerTag(ctx));
  if (refused !== null) {
    ctx.report(refused);
    ctx.drop('drop_vlan_ingress', 'disallowed VLAN VID for this input port, dropping');
    return;
  }
  const vlans = vlansIn(ctx, bundle);
  const vlan = vidOf(vlans.outer);

  const source = macFromHalves(
    ((flow[ETH_DST_SRC] << 16) | (flow[ETH_SRC] >>> 16)) >>> 0,
    flow[ETH_SRC] & 0xffff,
  );
  const destination = macFromHalves(flow[ETH_DST], flow[ETH_DST_SRC] >>> 16);
  if (!bridge.settings.forwardBpdu && isReservedAddress(destination)) {
    ctx.drop('drop_reserved_multicast', 'packet has reserved destination MAC, dropping');
    return;
  }
  if (bundle.isBond && bundle.activeMember() !== inPort) {
    ctx.drop('datapath_drop_invalid_bond', 'not the active member of the bond, dropping');
    return;
  }

  const isGratuitousArp = consultGratuitousArp(ctx, destination);
  if (!isNowhere && !isMulticastMac(source) && !bridge.isFloodVlan(vlan)) {
    if (ctx.trace?.hasFrame && bridge.macs.lookup(source, vlan)?.owner !== bundle) {
      const where = `on port ${bundle.name} in VLAN ${vlan}`;
      ctx.trace.add('detail', `learned that ${formatMac(source)} is ${where}`);
    }
    ctx.effects.push({ kind: 'learnMac', bridge, bundle, mac: source, vlan, isGratuitousArp });
  }

  const entry =
    isMulticastMac(destination) || bridge.isFloodVlan(vlan)
      ? null
      : bridge.macs.lookup(destination, vlan);
  if (entry === null) {
    ctx.trace?.add('detail', 'no learned MAC for destination, flooding');
    for (const other of bridge.bundles()) {
      if (other === bundle || !mayFlood(other) || bridge.mirrors.isOutput(other)) continue;
      if (carries(other.vlan, vlans)) forward(ctx, bundle, other, vlans);
      if (ctx.error !== null) return;
    }
    return;
  }
  if (bridge.mirrors.isOutput(entry.owner)) {
    // Only a static entry can lead there.
    ctx.drop('drop_action_of_pipeline', 'learned port is a mirror port, dropping');
    return;
  }
  if (entry.owner === bundle) {
    ctx.drop('drop_no_mac_learned_output', 'learned port is input port, dropping');
    return;
  }
  ctx.trace?.add('detail', 'forwarding to learned port');
  forward(ctx, bundle, entry.owner, vlans);
}

/** No member has flooding disabled by a port-mod. */
const mayFlood = (bundle: Bundle): boolean =>
  bundle.members.every((m) => (m.config & OFPPC_NO_FLOOD) === 0);

function forward(ctx: XlateContext, from: Bundle, to: Bundle, vlans: Vlans): void {
  if (from.settings.protected && to.settings.protected) {
    ctx.drop('drop_action_of_pipeline', 'output between protected ports, dropping');
    return;
  }
  outputBundle(ctx, to, vlans);
}

/** A gratuitous ARP is a broadcast reply, or a broadcast request for the sender's own address (RFC 5227, 3). */
function consultGratuitousArp(ctx: XlateContext, destination: number): boolean {
  const { flow, mask } = ctx;
  if (flow[ETH_TYPE_PROTO] >>> 16 !== ETH_TYPE_ARP || destination !== BROADCAST) return false;
  mask[ETH_TYPE_PROTO] |= 0xff00;
  const operation = (flow[ETH_TYPE_PROTO] >>> 8) & 0xff;
  if (operation === 2) return true;
  if (operation !== 1) return false;
  mask[IPV4_SRC] = mask[IPV4_DST] = 0xffffffff;
  return flow[IPV4_SRC] === flow[IPV4_DST];
}
