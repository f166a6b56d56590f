/**
 * Flow statistics of OpenFlow 1.5 as OXS entries: `reserved:16 length:16`, then `class:16 field:7 reserved:1 length:8` and value each
 * (OpenFlow 1.5.1, 7.2.4). The length covers the header and no padding.
 */
import { duration } from './message-parts.ts';
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

/** What an entry says; null or absent for what is not told. */
export interface FlowCounts {
  readonly durationMs: number | null;
  readonly idleAgeMs: number | null;
  readonly flows: number | null;
  readonly packets: bigint | null;
  readonly bytes: bigint | null;
}

const CLASS = 0x8002;
const DURATION = 0;
const IDLE_TIME = 1;
const FLOWS = 3;
const PACKETS = 4;
const BYTES = 5;

export function readOxs(r: Reader): FlowCounts {
  r.skip(2);
  const length = r.u16();
  if (length < 4) r.fail('OFPBRC_BAD_LEN');
  const inner = r.window(length - 4);
  r.skip(Math.min((8 - (length & 7)) & 7, r.left));
  let counts: FlowCounts = {
    durationMs: null,
    idleAgeMs: null,
    flows: null,
    packets: null,
    bytes: null,
  };
  while (inner.left > 0) {
    const oxsClass = inner.u16();
    const field = inner.u8() >> 1;
    const body = inner.window(inner.u8());
    if (oxsClass !== CLASS) continue;
    if (field === DURATION) counts = { ...counts, durationMs: duration.decode(body) };
    else if (field === IDLE_TIME) counts = { ...counts, idleAgeMs: duration.decode(body) };
    else if (field === FLOWS) counts = { ...counts, flows: body.u32() };
    else if (field === PACKETS) counts = { ...counts, packets: body.u64() };
    else if (field === BYTES) counts = { ...counts, bytes: body.u64() };
  }
  return counts;
}

export function writeOxs(w: Writer, counts: Partial<FlowCounts>): void {
  const start = w.length;
  w.zeros(4);
  const head = (field: number, bytes: number): void => {
    w.u16(CLASS);
    w.u8(field << 1);
    w.u8(bytes);
  };
  const { durationMs, idleAgeMs, flows, packets, bytes } = counts;
  if (durationMs != null) {
    head(DURATION, 8);
    duration.encode(w, durationMs);
  }
  if (idleAgeMs != null) {
    head(IDLE_TIME, 8);
    duration.encode(w, idleAgeMs);
  }
  if (packets != null) {
    head(PACKETS, 8);
    w.u64(packets);
  }
  if (bytes != null) {
    head(BYTES, 8);
    w.u64(bytes);
  }
  if (flows != null) {
    head(FLOWS, 4);
    w.u32(flows);
  }
  w.patchU16(start + 2, w.length - start);
  w.padTo(8, start);
}
