/** Messages about flows, and flow removed in its forms (OpenFlow 1.3.5, 7.4.2; NXT_FLOW_REMOVED; OXS since 1.5). */
import type { FlowRemoved, FlowRemovedReason } from '../model.ts';
import { OFPTT_ALL } from '../model.ts';
import { flowMod10, flowMod11, flowModNx } from './flow-mod.ts';
import { aggregate, flowFilter, flowFilterNx, flowStats, flowStatsNx } from './flow-stats.ts';
import { matchCodec, readNxmMatch, writeNxmMatch } from './match.ts';
import { counter, entries, knownDuration, since } from './message-parts.ts';
import { readOxs, writeOxs } from './oxs.ts';
import type { Reader } from './reader.ts';
import { OF14 } from './versions.ts';
import type { Codec } from './wire.ts';
import type { Writer } from './writer.ts';

const REASONS: readonly FlowRemovedReason[] = [
  'idleTimeout',
  'hardTimeout',
  'delete',
  'groupDelete',
  'meterDelete',
  'eviction',
];

export const readRemovedReason = (r: Reader, number: number): FlowRemovedReason =>
  REASONS[number] ?? r.fail('NXBRC_BAD_REASON');

/** Before 1.4 a meter's end is not told apart from a deletion. */
export function removedReason(w: Writer, reason: FlowRemovedReason): number {
  return REASONS.indexOf(reason === 'meterDelete' && w.version < OF14 ? 'delete' : reason);
}

const readCounts = (r: Reader) => ({ packets: counter.decode(r), bytes: counter.decode(r) });

function writeCounts(w: Writer, flow: FlowRemoved): void {
  counter.encode(w, flow.packets);
  counter.encode(w, flow.bytes);
}

const removed10: Codec<FlowRemoved> = {
  decode(r) {
    const match = matchCodec.decode(r);
    const cookie = r.u64();
    const priority = r.u16();
    const reason = readRemovedReason(r, r.u8());
    r.skip(1);
    const durationMs = knownDuration.decode(r);
    const idleTimeoutSeconds = r.u16();
    r.skip(2);
    const head = { match, cookie, priority, reason, durationMs, idleTimeoutSeconds };
    return { ...head, hardTimeoutSeconds: 0, tableId: OFPTT_ALL, ...readCounts(r) };
  },
  encode(w, flow) {
    matchCodec.encode(w, flow.match);
    w.u64(flow.cookie);
    w.u16(flow.priority);
    w.u8(removedReason(w, flow.reason));
    w.zeros(1);
    knownDuration.encode(w, flow.durationMs);
    w.u16(flow.idleTimeoutSeconds);
    w.zeros(2);
    writeCounts(w, flow);
  },
};

const removed11: Codec<FlowRemoved> = {
  decode(r) {
    const cookie = r.u64();
    const priority = r.u16();
    const reason = readRemovedReason(r, r.u8());
    const tableId = r.u8();
    const durationMs = knownDuration.decode(r);
    const idleTimeoutSeconds = r.u16();
    const hardTimeoutSeconds = r.u16();
    const head = { cookie, priority, reason, tableId, durationMs, idleTimeoutSeconds };
    const counts = readCounts(r);
    return { ...head, hardTimeoutSeconds, ...counts, match: matchCodec.decode(r) };
  },
  encode(w, flow) {
    w.u64(flow.cookie);
    w.u16(flow.priority);
    w.u8(removedReason(w, flow.reason));
    w.u8(flow.tableId);
    knownDuration.encode(w, flow.durationMs);
    w.u16(flow.idleTimeoutSeconds);
    w.u16(flow.hardTimeoutSeconds);
    writeCounts(w, flow);
    matchCodec.encode(w, flow.match);
  },
};

const removed15: Codec<FlowRemoved> = {
  decode(r) {
    const tableId = r.u8();
    const reason = readRemovedReason(r, r.u8());
    const priority = r.u16();
    const idleTimeoutSeconds = r.u16();
    const hardTimeoutSeconds = r.u16();
    const cookie = r.u64();
    const match = matchCodec.decode(r);
    const { durationMs, packets, bytes } = readOxs(r);
    const head = { tableId, reason, priority, idleTimeoutSeconds, hardTimeoutSeconds, cookie };
    return { ...head, match, durationMs: durationMs ?? 0, packets, bytes };
  },
  encode(w, flow) {
    w.u8(flow.tableId);
    w.u8(removedReason(w, flow.reason));
    w.u16(flow.priority);
    w.u16(flow.idleTimeoutSeconds);
    w.u16(flow.hardTimeoutSeconds);
    w.u64(flow.cookie);
    matchCodec.encode(w, flow.match);
    writeOxs(w, flow);
  },
};

/** The table is one more than its number, so that 0 can mean unknown. */
const removedNx: Codec<FlowRemoved> = {
  decode(r) {
    const cookie = r.u64();
    const priority = r.u16();
    const reason = readRemovedReason(r, r.u8());
    const table = r.u8();
    const durationMs = knownDuration.decode(r);
    const idleTimeoutSeconds = r.u16();
    const matchLength = r.u16();
    const counts = readCounts(r);
    const { match } = readNxmMatch(r, matchLength);
    const tableId = table === 0 ? OFPTT_ALL : table - 1;
    const head = { cookie, priority, reason, tableId, durationMs, idleTimeoutSeconds };
    return { ...head, hardTimeoutSeconds: 0, ...counts, match };
  },
  encode(w, flow) {
    w.u64(flow.cookie);
    w.u16(flow.priority);
    w.u8(removedReason(w, flow.reason));
    w.u8(flow.tableId === OFPTT_ALL ? 0 : flow.tableId + 1);
    knownDuration.encode(w, flow.durationMs);
    w.u16(flow.idleTimeoutSeconds);
    const lengthAt = w.length;
    w.zeros(2);
    writeCounts(w, flow);
    w.patchU16(lengthAt, writeNxmMatch(w, flow.match));
  },
};

/** The model's thing under its own name, so that a message's fields do not mix with it. */
const under = <K extends string, T>(key: K, codec: Codec<T>): Codec<{ readonly [P in K]: T }> => ({
  decode: (r) => ({ [key]: codec.decode(r) }) as { readonly [P in K]: T },
  encode: (w, value) => codec.encode(w, value[key]),
});

const removed = under('flow', since({ 1: removed10, 2: removed11, 6: removed15 }));
const filter = under('filter', flowFilter);
const filterNx = under('filter', flowFilterNx);

export const flowMessages = {
  flowMod: {
    'of 1.0-1.0 14': under('flowMod', flowMod10),
    'of 1.1+ 14': under('flowMod', flowMod11),
    'nx 1.0+ 13': under('flowMod', flowModNx),
  },
  flowRemoved: { 'of 1.0+ 11': removed, 'nx 1.0+ 14': under('flow', removedNx) },
  flowStatsRequest: { 'request 1.0+ 1': filter, 'nx-request 1.0-1.0 0': filterNx },
  flowStatsReply: {
    'reply 1.0+ 1': entries(flowStats),
    'nx-reply 1.0-1.0 0': entries(flowStatsNx),
  },
  aggregateRequest: { 'request 1.0+ 2': filter, 'nx-request 1.0-1.0 1': filterNx },
  aggregateReply: { 'reply 1.0+ 2': aggregate, 'nx-reply 1.0-1.0 1': aggregate },
} as const;
