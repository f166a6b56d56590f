/**
 * Ports as the versions describe them: 48 bytes in 1.0, 64 in 1.1, properties since 1.4. The model's flags are OpenFlow 1.3's; what
 * 1.0 counts otherwise is converted here.
 */
import type { PortDescription } from '../model.ts';
import { mac, only, readProperties, readSized, since, writeProperty } from './message-parts.ts';
import { portNumber } from './ports.ts';
import type { Reader } from './reader.ts';
import { type Codec, mapped, pad, struct, text, u32 } from './wire.ts';

export type PortFields = PortDescription;

const NAME_BYTES = 16;

/** OFPPC_*: 1.0 has NO_STP, NO_RECV_STP and NO_FLOOD besides. */
const CONFIG_10 = 0x7f;
const CONFIG_11 = 0x65;
/** OFPPS_*: 1.0 has a spanning tree state in bits 8 and 9, later versions "blocked" and "live". */
const STATE_10 = 0x301;
const STATE_11 = 0x7;

/** Features 0..6 (speeds) are the same; copper, fiber, auto-negotiation and pause moved up by 4 to make room for faster speeds. */
const SPEEDS_10 = 0x7f;
const REST_10 = 0xf80;
const fromFeatures10 = (bits: number): number => (bits & SPEEDS_10) | ((bits & REST_10) << 4);
const toFeatures10 = (bits: number): number => (bits & SPEEDS_10) | ((bits >>> 4) & REST_10);
const FEATURES_11 = 0xffff;

const masked = (mask: number): Codec<number> =>
  mapped(
    u32,
    (n) => n & mask,
    (n) => n & mask,
  );

export const portConfig = since({ 1: masked(CONFIG_10), 2: masked(CONFIG_11) });
const portState = since({ 1: masked(STATE_10), 2: masked(STATE_11) });
export const portFeatures = since({
  1: mapped(u32, fromFeatures10, toFeatures10),
  2: masked(FEATURES_11),
});

/** Speed in kbit/s of the fastest of features bits 0..9. */
const SPEEDS_KBPS = [1e4, 1e4, 1e5, 1e5, 1e6, 1e6, 1e7, 4e7, 1e8, 1e9];

function fastest(features: number): number {
  let kbps = 0;
  SPEEDS_KBPS.forEach((speed, bit) => {
    if ((features & (1 << bit)) !== 0) kbps = Math.max(kbps, speed);
  });
  return kbps;
}

const head = { hwAddr: mac };
const tail = { config: portConfig, state: portState };
const ability = {
  current: portFeatures,
  advertised: portFeatures,
  supported: portFeatures,
  peer: portFeatures,
};
const speeds = { currentSpeedKbps: u32, maxSpeedKbps: u32 };

const port10 = struct({ port: portNumber, ...head, name: text(NAME_BYTES), ...tail, ...ability });

const phyPort10: Codec<PortDescription> = {
  decode(r) {
    const fields = port10.decode(r);
    return {
      ...fields,
      currentSpeedKbps: fastest(fields.current),
      maxSpeedKbps: fastest(fields.supported),
    };
  },
  encode: (w, value) => port10.encode(w, value),
};

const phyPort11: Codec<PortDescription> = struct({
  port: portNumber,
  _pad: pad(4),
  ...head,
  _pad2: pad(2),
  name: text(NAME_BYTES),
  ...tail,
  ...ability,
  ...speeds,
});

const ETHERNET = 0;
const ethernet = struct({ _pad: pad(4), ...ability, ...speeds });
const port14 = struct({
  port: portNumber,
  _length: pad(4),
  ...head,
  _pad2: pad(2),
  name: text(NAME_BYTES),
  ...tail,
});
const PORT14_BYTES = 40;

const phyPort14: Codec<PortDescription> = {
  decode: (r) => readSized(r, PORT14_BYTES, readPort14, { at: 4 }),
  encode(w, value) {
    const start = w.length;
    port14.encode(w, value);
    writeProperty(w, ETHERNET, () => ethernet.encode(w, value));
    w.patchU16(start + 4, w.length - start);
  },
};

function readPort14(r: Reader): PortDescription {
  const fields = port14.decode(r);
  let more = {
    current: 0,
    advertised: 0,
    supported: 0,
    peer: 0,
    currentSpeedKbps: 0,
    maxSpeedKbps: 0,
  };
  readProperties(
    r,
    ({ type, experimenter }, body) => {
      if (type !== ETHERNET || experimenter !== null) return false;
      more = only(body, ethernet);
      return true;
    },
    { loose: true },
  );
  return { ...fields, ...more };
}

export const phyPort: Codec<PortDescription> = since({ 1: phyPort10, 2: phyPort11, 5: phyPort14 });
