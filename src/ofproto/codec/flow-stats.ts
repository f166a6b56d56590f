/** Requests for flows and their sums, and the replies (OpenFlow 1.3.5, 7.3.5.2 and 7.3.5.3; NXST_FLOW; OXS since 1.5). */
import type { FlowFilter, FlowStatsEntry } from '../model.ts';
import { NO_FLAGS, OFPG_ANY } from '../model.ts';
import { readFlowFlags, writeFlowFlags } from './flow-mod.ts';
import { readInstructions, writeInstructions } from './instructions.ts';
import { matchCodec, readNxmMatch, writeNxmMatch, writeOxmMatch } from './match.ts';
import {
  counter,
  knownDuration,
  portOrAny,
  portOrAny16,
  readSized,
  since,
} from './message-parts.ts';
import { readOxs, writeOxs } from './oxs.ts';
import type { Reader } from './reader.ts';
import { OF13, OF14 } from './versions.ts';
import { type Codec, pad, struct, u32 } from './wire.ts';
import type { Writer } from './writer.ts';

const filter10: Codec<FlowFilter> = {
  decode(r) {
    const match = matchCodec.decode(r);
    const tableId = r.u8();
    r.skip(1);
    const outPort = portOrAny().decode(r);
    return { tableId, match, cookie: 0n, cookieMask: 0n, outPort, outGroup: null };
  },
  encode(w, filter) {
    matchCodec.encode(w, filter.match);
    w.u8(filter.tableId);
    w.zeros(1);
    portOrAny().encode(w, filter.outPort);
  },
};

/** Bytes behind the match say nothing. */
const filter11: Codec<FlowFilter> = {
  decode(r) {
    const tableId = r.u8();
    r.skip(3);
    const outPort = portOrAny().decode(r);
    const outGroup = r.u32();
    r.skip(4);
    const cookie = r.u64();
    const cookieMask = r.u64();
    const match = matchCodec.decode(r);
    r.skip(r.left);
    return {
      tableId,
      match,
      cookie,
      cookieMask,
      outPort,
      outGroup: outGroup === OFPG_ANY ? null : outGroup,
    };
  },
  encode(w, filter) {
    w.u8(filter.tableId);
    w.zeros(3);
    portOrAny().encode(w, filter.outPort);
    w.u32(filter.outGroup ?? OFPG_ANY);
    w.zeros(4);
    w.u64(filter.cookie);
    w.u64(filter.cookieMask);
    matchCodec.encode(w, filter.match);
  },
};

export const flowFilter = since({ 1: filter10, 2: filter11 });

export const flowFilterNx: Codec<FlowFilter> = {
  decode(r) {
    const outPort = portOrAny16.decode(r);
    const matchLength = r.u16();
    const tableId = r.u8();
    r.skip(3);
    return { tableId, ...readNxmMatch(r, matchLength), outPort, outGroup: null };
  },
  encode(w, filter) {
    portOrAny16.encode(w, filter.outPort);
    const lengthAt = w.length;
    w.zeros(2);
    w.u8(filter.tableId);
    w.zeros(3);
    w.patchU16(lengthAt, writeNxmMatch(w, filter.match, filter.cookie, filter.cookieMask));
  },
};

const entry = <T extends object>(
  least: number,
  read: (r: Reader) => T,
  write: (w: Writer, value: T) => void,
): Codec<T> => ({
  decode: (r) => readSized(r, least, read),
  encode(w, value) {
    const start = w.length;
    w.zeros(2);
    write(w, value);
    w.patchU16(start, w.length - start);
  },
});

const readTimeouts = (r: Reader) => ({
  priority: r.u16(),
  idleTimeoutSeconds: r.u16(),
  hardTimeoutSeconds: r.u16(),
});

function writeTimeouts(w: Writer, flow: FlowStatsEntry): void {
  w.u16(flow.priority);
  w.u16(flow.idleTimeoutSeconds);
  w.u16(flow.hardTimeoutSeconds);
}

const NEVER_TOLD = { importance: 0, flags: NO_FLAGS, idleAgeMs: null, hardAgeMs: null } as const;

const flowStats10 = entry<FlowStatsEntry>(
  88,
  (r) => {
    r.skip(2);
    const tableId = r.u8();
    r.skip(1);
    const match = matchCodec.decode(r);
    const durationMs = knownDuration.decode(r);
    const timeouts = readTimeouts(r);
    r.skip(6);
    const counts = { cookie: r.u64(), packets: r.u64(), bytes: r.u64() };
    const actions = readInstructions(r);
    return { tableId, match, durationMs, ...timeouts, ...counts, actions, ...NEVER_TOLD };
  },
  (w, flow) => {
    w.u8(flow.tableId);
    w.zeros(1);
    matchCodec.encode(w, flow.match);
    knownDuration.encode(w, flow.durationMs);
    writeTimeouts(w, flow);
    w.zeros(6);
    w.u64(flow.cookie);
    w.u64(flow.packets);
    w.u64(flow.bytes);
    writeInstructions(w, flow.actions);
  },
);

const flowStats11 = entry<FlowStatsEntry>(
  48,
  (r) => {
    r.skip(2);
    const tableId = r.u8();
    r.skip(1);
    const durationMs = knownDuration.decode(r);
    const timeouts = readTimeouts(r);
    const rawFlags = r.window(2);
    const importance = r.u16();
    r.skip(2);
    const counts = { cookie: r.u64(), packets: r.u64(), bytes: r.u64() };
    const match = matchCodec.decode(r);
    const actions = readInstructions(r);
    return {
      tableId,
      match,
      durationMs,
      ...timeouts,
      ...counts,
      actions,
      ...NEVER_TOLD,
      flags: r.version >= OF13 ? withoutEmergency(rawFlags) : NO_FLAGS,
      importance: r.version >= OF14 ? importance : 0,
    };
  },
  (w, flow) => {
    w.u8(flow.tableId);
    w.zeros(1);
    knownDuration.encode(w, flow.durationMs);
    writeTimeouts(w, flow);
    writeFlowFlags(w, w.version >= OF13 ? flow.flags : NO_FLAGS);
    w.u16(w.version >= OF14 ? flow.importance : 0);
    w.zeros(2);
    w.u64(flow.cookie);
    w.u64(flow.packets);
    w.u64(flow.bytes);
    // As in Open vSwitch 1.1's flows are told with OXM entries, too, since its own cannot say all that a flow may match.
    writeOxmMatch(w, flow.match);
    writeInstructions(w, flow.actions);
  },
);

const withoutEmergency = (r: Reader): FlowStatsEntry['flags'] => readFlowFlags(r).flags;

const UNKNOWN_COUNT = 0xffff_ffff_ffff_ffffn;

const flowStats15 = entry<FlowStatsEntry>(
  24,
  (r) => {
    r.skip(4);
    const tableId = r.u8();
    r.skip(1);
    const timeouts = readTimeouts(r);
    const flags = withoutEmergency(r);
    const importance = r.u16();
    const cookie = r.u64();
    const match = matchCodec.decode(r);
    const counts = readOxs(r);
    const actions = readInstructions(r);
    return {
      tableId,
      ...timeouts,
      flags,
      importance,
      cookie,
      match,
      actions,
      durationMs: counts.durationMs ?? 0,
      idleAgeMs: counts.idleAgeMs,
      hardAgeMs: null,
      packets: counts.packets ?? UNKNOWN_COUNT,
      bytes: counts.bytes ?? UNKNOWN_COUNT,
    };
  },
  (w, flow) => {
    w.zeros(2);
    w.u8(flow.tableId);
    w.zeros(1);
    writeTimeouts(w, flow);
    writeFlowFlags(w, flow.flags);
    w.u16(flow.importance);
    w.u64(flow.cookie);
    matchCodec.encode(w, flow.match);
    writeOxs(w, {
      ...flow,
      packets: flow.packets === UNKNOWN_COUNT ? null : flow.packets,
      bytes: flow.bytes === UNKNOWN_COUNT ? null : flow.bytes,
    });
    writeInstructions(w, flow.actions);
  },
);

export const flowStats = since({ 1: flowStats10, 2: flowStats11, 6: flowStats15 });

/** 0 for unknown, else one more than the seconds. */
const readAge = (r: Reader): number | null => {
  const age = r.u16();
  return age === 0 ? null : (age - 1) * 1000;
};

const writeAge = (w: Writer, ms: number | null): void =>
  w.u16(ms === null ? 0 : Math.min(0xffff, Math.trunc(ms / 1000) + 1));

export const flowStatsNx = entry<FlowStatsEntry>(
  48,
  (r) => {
    r.skip(2);
    const tableId = r.u8();
    r.skip(1);
    const durationMs = knownDuration.decode(r);
    const timeouts = readTimeouts(r);
    const matchLength = r.u16();
    const ages = { idleAgeMs: readAge(r), hardAgeMs: readAge(r) };
    const counts = { cookie: r.u64(), packets: r.u64(), bytes: r.u64() };
    const { match } = readNxmMatch(r, matchLength);
    const actions = readInstructions(r);
    return {
      tableId,
      match,
      durationMs,
      ...timeouts,
      ...counts,
      actions,
      importance: 0,
      flags: NO_FLAGS,
      ...ages,
    };
  },
  (w, flow) => {
    w.u8(flow.tableId);
    w.zeros(1);
    knownDuration.encode(w, flow.durationMs);
    writeTimeouts(w, flow);
    const lengthAt = w.length;
    w.zeros(2);
    writeAge(w, flow.idleAgeMs);
    writeAge(w, flow.hardAgeMs);
    w.u64(flow.cookie);
    w.u64(flow.packets);
    w.u64(flow.bytes);
    w.patchU16(lengthAt, writeNxmMatch(w, flow.match));
    writeInstructions(w, flow.actions);
  },
);

export interface AggregateStats {
  /** Null where unknown. */
  readonly packets: bigint | null;
  readonly bytes: bigint | null;
  readonly flows: number;
}

const aggregateFixed: Codec<AggregateStats> = struct({
  packets: counter,
  bytes: counter,
  flows: u32,
  _pad: pad(4),
});

const aggregate15: Codec<AggregateStats> = {
  decode(r) {
    const { packets, bytes, flows } = readOxs(r);
    return { packets, bytes, flows: flows ?? 0 };
  },
  encode: (w, value) => writeOxs(w, value),
};

export const aggregate = since({ 1: aggregateFixed, 6: aggregate15 });
