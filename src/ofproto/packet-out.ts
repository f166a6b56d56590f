/** Frames that controllers send: through given actions, or on from where controller(pause) stopped. */
import { NO_OFFLOAD } from '../datapath/datapath.ts';
import { LAST_OF_PORT, OFPP_CONTROLLER, OFPP_LOCAL, OFPP_NONE } from '../flowtable/of-port.ts';
import { keyOf } from '../packet/extract.ts';
import { DP_WORDS, FLOW_WORDS, OF_IN_PORT, TCP_FLAGS } from '../packet/key.ts';
import type { Bridge } from './bridge.ts';
import { NO_BUFFER, type OfError, OfVersion, type PacketOut } from './model.ts';
import { continuation } from './packet-in.ts';
import type { Switch } from './switch.ts';
import { checkActions } from './tables/check-actions.ts';
import { applyEffects } from './xlate/effect.ts';
import { resume, type Translation, translatePacketOut } from './xlate/translate.ts';

/** Datapath port of a frame that came from none. */
const NO_PORT = 0xffffffff;
const ETH_HEADER_BYTES = 14;

/** Sends a controller's frame; null for success. A listener of OpenFlow calls it. */
export function packetOut(
  on: Switch,
  bridge: Bridge,
  out: PacketOut,
  version: OfVersion = OfVersion.OF13,
): OfError | null {
  const begun = beginPacketOut(on, bridge, out, version);
  if ('error' in begun) return begun;
  begun.send();
  return null;
}

/** Decides by the tables as they are now, and sends later, as bundles need it. */
export function beginPacketOut(
  on: Switch,
  bridge: Bridge,
  out: PacketOut,
  version: OfVersion,
): OfError | { send(): void } {
  const error = checkPacketOut(bridge, out, version);
  if (error !== null) return error;
  if (out.data.length < ETH_HEADER_BYTES) return { send: () => {} };
  const port = bridge.port(out.inPort);
  const flow = flowOf(out.data, port?.portNo ?? NO_PORT);
  for (let i = 0; i < out.match.words.length; i++) flow[out.match.words[i]] = out.match.values[i];
  flow[OF_IN_PORT] = out.inPort;
  const translation = translatePacketOut(on, flow, bridge, port, out.actions);
  return { send: () => run(on, out.data, flow, translation) };
}

/** Checks a packet-out without sending it, as a bundle does before it commits. */
function checkPacketOut(bridge: Bridge, out: PacketOut, version: OfVersion): OfError | null {
  const { inPort } = out;
  const isReserved = inPort > LAST_OF_PORT;
  if (isReserved && inPort !== OFPP_LOCAL && inPort !== OFPP_CONTROLLER && inPort !== OFPP_NONE) {
    return { error: 'OFPBRC_BAD_PORT' };
  }
  if (out.bufferId !== NO_BUFFER) return { error: 'OFPBRC_BUFFER_UNKNOWN' };
  return checkActions(bridge, out.actions, null, null, version);
}

/** Goes on where controller(pause) stopped, with the frame as the controller gives it back. */
export function resumePacket(on: Switch, bytes: Uint8Array, frame: Uint8Array): OfError | null {
  const named = continuation(bytes);
  const state = named === null ? null : on.thaw(named.id);
  if (named === null || state === null || on.bridge(state.bridge.name) !== state.bridge) {
    return { error: 'NXR_STALE' };
  }
  if (frame.length < ETH_HEADER_BYTES) return null;
  const flow = flowOf(frame, named.inPort);
  run(on, frame, flow, resume(on, flow, state));
  return null;
}

function flowOf(frame: Uint8Array, inPort: number): Uint32Array {
  const flow = new Uint32Array(FLOW_WORDS);
  flow.set(keyOf(frame, inPort).subarray(0, DP_WORDS));
  return flow;
}

function run(on: Switch, frame: Uint8Array, flow: Uint32Array, translation: Translation): void {
  const { program, effects } = translation;
  const now = on.clock.now();
  if (applyEffects(effects, 1, frame.length, now, flow[TCP_FLAGS] >>> 16)) {
    on.revalidator.changed();
  }
  on.datapath.execute(frame, NO_OFFLOAD, flow.slice(0, DP_WORDS), program);
}
