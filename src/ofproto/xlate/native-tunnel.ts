/**
 * Tunnels whose packets the switch builds itself, since the way to the other end leads through a bridge: the outer header comes in
 * front of the frame, and translation goes on in that bridge as if the packet came from its local port. What arrives at an address of
 * a bridge for a tunnel is taken out of its packet, and looked up anew.
 *
 * What the bridge's tables consult of the outer header counts for nothing in the megaflow: it is the same for all frames that the rest
 * of the mask covers.
 */
import { formatMac, parseMac } from '../../packet/address-text.ts';
import * as K from '../../packet/key.ts';
import {
  ETH_TYPE_ARP,
  ETH_TYPE_IPV4,
  ETH_TYPE_IPV6,
  IP_PROTO_ICMPV6,
  IP_PROTO_UDP,
} from '../../packet/protocol.ts';
import {
  buildOuterHeader,
  Encapsulation,
  IP_PROTO_GRE,
  type Mac,
  type OuterHeader,
} from '../../tunnels/outer-header.ts';
import { type Address, formatAddress, isIpv4 } from '../../tunnels/tunnel-config.ts';
import { TUNNEL_TYPES } from '../../tunnels/tunnel-types.ts';
import { clearTunnel } from '../../tunnels/tunnel-words.ts';
import type { BridgePort, TunnelBridgePort } from '../bridge-port.ts';
import type { TunnelDatapathPort } from '../tunnel-ports.ts';
import type { BridgedUnderlay } from '../underlay.ts';
import type { XlateContext } from './context.ts';
import { enterBridge } from './enter-bridge.ts';

const ARP_REPLY = 2;
const NEIGHBOR_ADVERTISEMENT = 136;
const FRAGMENT = 0x3;
const MAPPED = 0xffff;
/** Numbers of encapsulations by type; types that are none of these end nowhere. */
const POPPED: Readonly<Partial<Record<keyof typeof TUNNEL_TYPES, number>>> = {
  vxlan: Encapsulation.VXLAN,
  geneve: Encapsulation.GENEVE,
  gre: Encapsulation.GRE,
  ip6gre: Encapsulation.GRE,
  erspan: Encapsulation.ERSPAN,
  ip6erspan: Encapsulation.ERSPAN,
  gtpu: Encapsulation.GTPU,
};

const ipv4 = (word: number): Address => [0, 0, MAPPED, word];
const wide = (flow: Uint32Array, at: number): Address => [
  flow[at],
  flow[at + 1],
  flow[at + 2],
  flow[at + 3],
];
const isZero = (address: Address): boolean => address.every((word) => word === 0);
const macOf = (port: BridgePort): Mac => [
  Number(port.hwAddr >> 16n),
  Number(port.hwAddr & 0xffffn),
];

/** Sends the frame, whose tunnel words are ready, through a tunnel. */
export function outputNative(
  ctx: XlateContext,
  port: TunnelBridgePort,
  underlay: BridgedUnderlay,
  compared: boolean,
): void {
  const { flow, trace } = ctx;
  trace?.add('detail', 'output to native tunnel');
  const isFour = flow[K.TUN_DST] !== 0;
  const to = isFour ? ipv4(flow[K.TUN_DST]) : wide(flow, K.TUN_IPV6_DST);
  const route = underlay.route(to, flow[K.PKT_MARK]);
  const out = route === null ? null : underlay.portOf(route.device);
  if (route === null || out === null || out.portNo === null) {
    ctx.drop('drop_action_of_pipeline', 'native tunnel routing failed');
    return;
  }
  const hop = isZero(route.gateway) ? to : route.gateway;
  trace?.add('detail', `tunneling to ${formatAddress(hop)} via ${out.name}`);
  const fromMac = macOf(out);
  const bridge = out.bridge.name;
  const known = underlay.neighbor(bridge, hop);
  const toMac = known === null ? undefined : parseMac(known);
  if (known === null || toMac === undefined) {
    const how = isFour ? 'ARP' : 'ND';
    trace?.add(
      'detail',
      `neighbor cache miss for ${formatAddress(hop)} on bridge ${bridge}, sending ${how} request`,
    );
    ctx.effects.push({
      kind: 'askNeighbor',
      underlay,
      port: out,
      source: route.source,
      target: hop,
    });
    ctx.drop('drop_action_of_pipeline');
    return;
  }
  ctx.effects.push({ kind: 'useNeighbor', underlay, bridge, address: hop, mac: known });
  const own = isFour ? ipv4(flow[K.TUN_SRC]) : wide(flow, K.TUN_IPV6_SRC);
  const hasOwn = isFour ? own[3] !== 0 : !isZero(own);
  const source = hasOwn ? own : route.source;
  trace?.add(
    'detail',
    `tunneling from ${formatMac(...fromMac)} ${formatAddress(source)} to ${known} ${formatAddress(hop)}`,
  );
  const header = buildOuterHeader(flow, port.tunnel, source, fromMac, toMac);
  if (header === null) {
    ctx.drop('datapath_drop_tunnel_push_error');
    return;
  }
  const { first, last } = underlay.sourcePorts;
  const range = (first << 16) | last;
  ctx.effects.push({ kind: 'creditTunnel', port, direction: 'tx' });
  sendThrough(ctx, out, header, compared, () => {
    if (ctx.snaplen > 0) ctx.program.trunc(ctx.snaplen);
    ctx.program.tnlPush(port.portNo, out.portNo ?? 0, header.type, range, header.bytes);
  });
}

/** Runs the bridge of `out` for the packet that `push` makes of the frame: on a copy, if something follows. */
function sendThrough(
  ctx: XlateContext,
  out: BridgePort,
  header: OuterHeader,
  compared: boolean,
  push: () => void,
): void {
  const { program, vlans, isLast, snaplen, isLossy } = ctx;
  ctx.commit(compared);
  const saved = ctx.save();
  const mask = ctx.mask.slice();
  const written = ctx.written.slice();
  const base = ctx.base.slice();
  const wire = vlans.saveWire();
  const place = isLast ? -1 : program.beginClone();
  const start = program.length;
  push();
  const pushed = program.length;
  ctx.isLast = true;
  ctx.snaplen = 0;
  ctx.reparse = 'none';
  becomePacket(ctx, header);
  ctx.effects.push({ kind: 'lengthen', bytes: header.bytes.length });
  enterBridge(ctx, out);
  ctx.effects.push({ kind: 'lengthen', bytes: -header.bytes.length });
  // A packet that goes nowhere is not made.
  if (program.length === pushed) program.truncate(place < 0 ? start : place);
  else if (place >= 0) program.end(place);
  Object.assign(ctx, { isLast, snaplen, isLossy });
  ctx.restore(saved);
  ctx.mask.set(mask);
  ctx.written.set(written);
  ctx.base.set(base);
  vlans.restoreWire(wire);
}

/** The flow is that of the packet now, as is what the program has made. */
function becomePacket(ctx: XlateContext, { bytes }: OuterHeader): void {
  const { flow, base, vlans } = ctx;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  flow.fill(0, K.PACKET_TYPE, K.CT_STATE);
  vlans.bury();
  flow[K.ETH_DST] = view.getUint32(0);
  flow[K.ETH_DST_SRC] = view.getUint32(4);
  flow[K.ETH_SRC] = view.getUint32(8);
  const type = view.getUint16(12);
  const isFour = type === ETH_TYPE_IPV4;
  const proto = view.getUint8(isFour ? 23 : 20);
  flow[K.ETH_TYPE_PROTO] = ((type << 16) | (proto << 8)) >>> 0;
  if (isFour) {
    flow[K.TOS_TTL] = ((view.getUint8(15) << 24) | (view.getUint8(22) << 16)) >>> 0;
    flow[K.IPV4_SRC] = view.getUint32(26);
    flow[K.IPV4_DST] = view.getUint32(30);
  } else {
    flow[K.TOS_TTL] =
      ((((view.getUint16(14) >>> 4) & 255) << 24) | (view.getUint8(21) << 16)) >>> 0;
    for (let i = 0; i < 4; i++) {
      flow[K.IPV6_SRC + i] = view.getUint32(22 + 4 * i);
      flow[K.IPV6_DST + i] = view.getUint32(38 + 4 * i);
    }
  }
  if (proto === IP_PROTO_UDP) flow[K.TP] = view.getUint16((isFour ? 34 : 54) + 2);
  base.set(flow);
  clearTunnel(base, 0);
}

/**
 * Output to a port with an address: true when what is sent is a tunnel's packet, which ends here. Answers of neighbours are
 * listened to.
 */
export function endTunnel(
  ctx: XlateContext,
  port: BridgePort,
  underlay: BridgedUnderlay,
  compared: boolean,
): boolean {
  const addresses = underlay.addressesOf(port.name);
  if (addresses.length === 0) return false;
  const found =
    underlay.tunnelPorts.size === 0 ? null : tunnelEndOf(ctx, port, addresses, underlay);
  const { flow } = ctx;
  const bridge = port.bridge.name;
  if (found === null) {
    listen(ctx, bridge, addresses, underlay);
    return false;
  }
  const [portNo, { type, gbp }] = found;
  const isFour = flow[K.ETH_TYPE_PROTO] >>> 16 === ETH_TYPE_IPV4;
  const address = isFour ? ipv4(flow[K.IPV4_SRC]) : wide(flow, K.IPV6_SRC);
  const high = ((flow[K.ETH_DST_SRC] << 16) | (flow[K.ETH_SRC] >>> 16)) >>> 0;
  const mac = formatMac(high, flow[K.ETH_SRC] & 0xffff);
  ctx.effects.push({ kind: 'learnNeighbor', underlay, bridge, address, mac });
  ctx.commit(compared);
  ctx.program.tnlPop(portNo, POPPED[type] ?? 0, gbp);
  return true;
}

function tunnelEndOf(
  ctx: XlateContext,
  port: BridgePort,
  addresses: readonly { readonly address: Address }[],
  { tunnelPorts }: BridgedUnderlay,
): [number, TunnelDatapathPort] | null {
  const { flow, mask } = ctx;
  const [high, low] = macOf(port);
  mask[K.ETH_DST] = 0xffffffff;
  mask[K.ETH_DST_SRC] |= 0xffff0000;
  ctx.vlans.consult(0, 0xffff);
  if (flow[K.VLAN0] !== 0) return null;
  if (flow[K.ETH_DST] !== high || flow[K.ETH_DST_SRC] >>> 16 !== low) return null;
  const ethType = flow[K.ETH_TYPE_PROTO] >>> 16;
  const isFour = ethType === ETH_TYPE_IPV4;
  if (!isFour && ethType !== ETH_TYPE_IPV6) return null;
  const to = isFour ? ipv4(flow[K.IPV4_DST]) : wide(flow, K.IPV6_DST);
  if (isFour) mask[K.IPV4_DST] = 0xffffffff;
  else mask.fill(0xffffffff, K.IPV6_DST, K.IPV6_DST + 4);
  mask[K.ETH_TYPE_PROTO] |= 0xff00 | FRAGMENT;
  if (!addresses.some(({ address }) => address.every((word, i) => word === to[i]))) return null;
  if ((flow[K.ETH_TYPE_PROTO] & FRAGMENT) !== 0) return null;
  const proto = (flow[K.ETH_TYPE_PROTO] >>> 8) & 255;
  if (proto === IP_PROTO_UDP) mask[K.TP] |= 0xffff;
  for (const entry of tunnelPorts) {
    const { type, dstPort } = entry[1];
    if (POPPED[type] === undefined) continue;
    if (TUNNEL_TYPES[type].udpPort === null) {
      if (proto === IP_PROTO_GRE) return entry;
    } else if (proto === IP_PROTO_UDP && (flow[K.TP] & 0xffff) === dstPort) return entry;
  }
  return null;
}

/** The group address that questions for a neighbour go to (RFC 4291, 2.7.1). */
const isSolicitedNode = (group: Address, address: Address): boolean =>
  group[0] === 0xff020000 &&
  group[1] === 0 &&
  group[2] === 1 &&
  group[3] === (0xff000000 | (address[3] & 0xffffff)) >>> 0;

/** Answers to a question for a neighbour, and what neighbours announce of themselves (RFC 826; RFC 4861, 7.2). */
function listen(
  ctx: XlateContext,
  bridge: string,
  addresses: readonly { readonly address: Address }[],
  underlay: BridgedUnderlay,
): void {
  const { flow, mask } = ctx;
  const ethType = flow[K.ETH_TYPE_PROTO] >>> 16;
  const proto = (flow[K.ETH_TYPE_PROTO] >>> 8) & 255;
  const isOwn = (address: Address): boolean =>
    addresses.some((own) => own.address.every((word, i) => word === address[i]));
  if (ethType === ETH_TYPE_ARP) {
    mask[K.IPV4_SRC] = mask[K.IPV4_DST] = 0xffffffff;
    mask[K.ETH_TYPE_PROTO] |= 0xff00;
    const isGratuitous = flow[K.IPV4_SRC] === flow[K.IPV4_DST];
    const isAnswer = proto === ARP_REPLY && isOwn(ipv4(flow[K.IPV4_DST]));
    const high = flow[K.ARP_SHA];
    const low = flow[K.ARP_SHA_THA] >>> 16;
    if ((!isGratuitous && !isAnswer) || (high === 0 && low === 0)) return;
    mask[K.ARP_SHA] = 0xffffffff;
    mask[K.ARP_SHA_THA] |= 0xffff0000;
    const mac = formatMac(high, low);
    const address = ipv4(flow[K.IPV4_SRC]);
    ctx.effects.push({ kind: 'learnNeighbor', underlay, bridge, address, mac });
  } else if (ethType === ETH_TYPE_IPV6 && proto === IP_PROTO_ICMPV6) {
    mask[K.ETH_TYPE_PROTO] |= 0xff00;
    mask[K.TP] |= 0xffff0000;
    if (flow[K.TP] >>> 16 !== NEIGHBOR_ADVERTISEMENT) return;
    const to = wide(flow, K.IPV6_DST);
    if (!isOwn(to) && !addresses.some(({ address }) => isSolicitedNode(to, address))) return;
    mask.fill(0xffffffff, K.IPV6_SRC, K.IPV6_DST + 4);
    mask.fill(0xffffffff, K.ND_TARGET, K.ND_TARGET + 4);
    mask[K.ARP_SHA_THA] |= 0xffff;
    mask[K.ARP_THA] = 0xffffffff;
    const high = ((flow[K.ARP_SHA_THA] << 16) | (flow[K.ARP_THA] >>> 16)) >>> 0;
    const low = flow[K.ARP_THA] & 0xffff;
    if (high === 0 && low === 0) return;
    const mac = formatMac(high, low);
    const address = wide(flow, K.ND_TARGET);
    if (isIpv4(address)) return;
    ctx.effects.push({ kind: 'learnNeighbor', underlay, bridge, address, mac });
  }
}
