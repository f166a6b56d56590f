/**
 * Tunnels in translation: what a frame that came through one depends on, and what it takes to send one.
 *
 * A tunnel port has no datapath port of its own: all of a kind share one, and the outer header is metadata that is set right
 * before the output. The tunnel words of the flow are what actions see and set; what the port adds is seen by nobody else.
 */
import * as K from '../../packet/key.ts';
import { ETH_TYPE_IPV4, ETH_TYPE_IPV6 } from '../../packet/protocol.ts';
import { type Address, isIpv4, type TunnelConfig } from '../../tunnels/tunnel-config.ts';
import { TunnelFlag } from '../../tunnels/tunnel-words.ts';
import type { TunnelBridgePort } from '../bridge-port.ts';
import type { XlateContext } from './context.ts';
import { outputNative } from './native-tunnel.ts';

const ECN = 0x03;
const ECN_ECT0 = 0x02;
const DSCP = 0xfc;
const RECEIVED_FLAGS = TunnelFlag.DF | TunnelFlag.CSUM | TunnelFlag.KEY | TunnelFlag.BARE;

const isIp = (flow: Uint32Array): boolean => {
  const type = flow[K.ETH_TYPE_PROTO] >>> 16;
  return type === ETH_TYPE_IPV4 || type === ETH_TYPE_IPV6;
};

/** Bits that the choice of the tunnel port depends on, and the outer header's congestion mark. */
export function consultReceived(flow: Uint32Array, mask: Uint32Array): void {
  mask.fill(0xffffffff, K.TUN_ID, K.TUN_ID + 2);
  if (flow[K.TUN_DST] !== 0 || flow[K.TUN_SRC] !== 0) {
    mask[K.TUN_SRC] = mask[K.TUN_DST] = 0xffffffff;
  } else mask.fill(0xffffffff, K.TUN_IPV6_SRC, K.TUN_FLAGS);
  mask[K.TUN_FLAGS] = ((RECEIVED_FLAGS << 16) | 0xff00) >>> 0;
}

/**
 * The outer header's congestion mark goes over to the frame. False when the frame cannot carry it and is to be dropped
 * (RFC 6040, 4.2).
 */
export function decapsulateEcn(ctx: XlateContext): boolean {
  const { flow } = ctx;
  if (((flow[K.TUN_FLAGS] >>> 8) & ECN) !== ECN || !isIp(flow)) return true;
  ctx.mask[K.TOS_TTL] |= ECN << 24;
  if (((flow[K.TOS_TTL] >>> 24) & ECN) === 0) return false;
  ctx.written[K.TOS_TTL] |= ECN << 24;
  flow[K.TOS_TTL] = (flow[K.TOS_TTL] | (ECN << 24)) >>> 0;
  return true;
}

/** Sends the frame through a tunnel. */
export function outputTunnel(ctx: XlateContext, port: TunnelBridgePort, compared: boolean): void {
  const { flow } = ctx;
  const before = flow.slice(K.TUN_ID, K.DP_WORDS);
  const mark = flow[K.PKT_MARK];
  setOuter(ctx, port);
  if (isOwnAddress(ctx)) {
    ctx.trace?.add('warn', 'Not tunneling to our own address');
    ctx.drop('drop_action_of_pipeline');
  } else if (ctx.source.underlay !== null) {
    outputNative(ctx, port, ctx.source.underlay, compared);
  } else {
    ctx.effects.push({ kind: 'creditTunnel', port, direction: 'tx' });
    ctx.trace?.add('detail', 'output to kernel tunnel');
    ctx.commitTunnel();
    ctx.outputTo(port.portNo, compared);
  }
  flow.set(before, K.TUN_ID);
  flow[K.PKT_MARK] = mark;
}

/** Back to where it came from: what makes no packet. */
function isOwnAddress({ flow, arrived }: XlateContext): boolean {
  if (flow[K.TUN_DST] !== 0) return flow[K.TUN_DST] === arrived[K.TUN_DST];
  for (let i = 0; i < 4; i++) {
    if (flow[K.TUN_IPV6_DST + i] !== arrived[K.TUN_IPV6_DST + i]) return false;
  }
  return true;
}

function setOuter(ctx: XlateContext, { tunnel }: TunnelBridgePort): void {
  const { flow, mask, source } = ctx;
  // What stays as the flow has it counts as consulted; a frame that came through no tunnel has nothing there.
  const isTunnelIn = source.isTunnelIn(flow[K.IN_PORT]);
  if (tunnel.type === 'geneve') {
    // Which options there are is consulted with any of them.
    if (isTunnelIn) ctx.bridge.tlvTable.consultPresent(flow, mask);
    ctx.bridge.tlvTable.fieldsToOptions(flow, flow);
  } else {
    flow[K.TUN_FLAGS] = 0;
    flow.fill(0, K.TUN_OPTIONS_LENGTH, K.DP_WORDS);
  }
  if (tunnel.type !== 'vxlan') flow[K.TUN_GBP] = 0;
  else if (isTunnelIn) mask[K.TUN_GBP] = 0xffffffff;
  setErspan(flow, tunnel);
  if (tunnel.local !== 'flow') setAddress(flow, K.TUN_SRC, K.TUN_IPV6_SRC, tunnel.local);
  if (tunnel.remote !== 'flow') setAddress(flow, K.TUN_DST, K.TUN_IPV6_DST, tunnel.remote);
  flow[K.TUN_TP] = tunnel.dstPort;
  if (!tunnel.outKey.flow) {
    flow[K.TUN_ID] = Number(tunnel.outKey.value >> 32n);
    flow[K.TUN_ID + 1] = Number(tunnel.outKey.value & 0xffffffffn);
  }
  const ip = isIp(flow);
  const tosTtl = flow[K.TOS_TTL];
  let ttl = tunnel.ttl === 'inherit' ? 64 : tunnel.ttl;
  if (tunnel.ttl === 'inherit' && ip) {
    mask[K.TOS_TTL] |= 0x00ff0000;
    ttl = (tosTtl >>> 16) & 255;
  }
  let tos = tunnel.tos === 'inherit' ? 0 : tunnel.tos;
  if (tunnel.tos === 'inherit' && ip) {
    mask[K.TOS_TTL] |= DSCP << 24;
    tos = (tosTtl >>> 24) & DSCP;
  }
  // The congestion mark always goes over; a marked frame in a packet that may be marked again (RFC 6040, 4.1).
  if (ip) {
    mask[K.TOS_TTL] |= ECN << 24;
    const ecn = (tosTtl >>> 24) & ECN;
    tos |= ecn === ECN ? ECN_ECT0 : ecn;
  }
  // A control packet is one that an action made one.
  let flags = ((flow[K.TUN_FLAGS] & ctx.written[K.TUN_FLAGS]) >>> 16) & TunnelFlag.OAM;
  if (tunnel.df) flags |= TunnelFlag.DF;
  if (tunnel.csum) flags |= TunnelFlag.CSUM;
  if (tunnel.outKey.present) flags |= TunnelFlag.KEY;
  // A packet that the switch builds itself has Ethernet inside.
  if (tunnel.packetType === 'legacy_l3' && source.underlay === null) flags |= TunnelFlag.BARE;
  flow[K.TUN_FLAGS] = ((flags << 16) | (tos << 8) | ttl) >>> 0;
  if (tunnel.egressPktMark !== null) {
    ctx.willWrite(K.PKT_MARK, 0xffffffff);
    flow[K.PKT_MARK] = tunnel.egressPktMark;
  }
}

/** What the port says of ERSPAN's header, where it does not leave that to the flow. */
function setErspan(flow: Uint32Array, { erspan }: TunnelConfig): void {
  const { version, index, direction, hardwareId } = erspan;
  if (version === null) {
    flow[K.TUN_ERSPAN_GTPU] = flow[K.TUN_ERSPAN_IDX] = 0;
    return;
  }
  const place = (value: number | 'flow' | null, shift: number, bits: number): void => {
    if (value === 'flow') return;
    const mask = ((1 << bits) - 1) << shift;
    const word = flow[K.TUN_ERSPAN_GTPU] & ~mask;
    flow[K.TUN_ERSPAN_GTPU] = (word | (((value ?? 0) << shift) & mask)) >>> 0;
  };
  place(version, 28, 4);
  place(direction, 24, 1);
  place(hardwareId, 16, 6);
  if (index !== 'flow') flow[K.TUN_ERSPAN_IDX] = index ?? 0;
}

function setAddress(flow: Uint32Array, ipv4: number, ipv6: number, address: Address | null): void {
  const isFour = address !== null && isIpv4(address);
  flow[ipv4] = isFour ? address[3] : 0;
  for (let i = 0; i < 4; i++) flow[ipv6 + i] = address === null || isFour ? 0 : address[i];
}
