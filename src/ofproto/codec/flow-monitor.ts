/**
 * Flow monitors: who asks to hear of changes to flows, and the updates (OpenFlow 1.4.1, 7.3.5.17; NXST_FLOW_MONITOR in 1.0 to 1.2; ONF's
 * extension in 1.3, of Nicira's layout with an OXM match). Names of flags and events are 1.4's.
 */
import type { Action } from '../../flowtable/action.ts';
import type { Match } from '../../flowtable/match.ts';
import type { OfPort } from '../../flowtable/of-port.ts';
import type { FlowRemovedReason } from '../model.ts';
import { readActions, writeActions } from './actions.ts';
import { readRemovedReason, removedReason } from './flow-messages.ts';
import { readInstructions, writeInstructions } from './instructions.ts';
import { matchCodec, readNxmMatch, writeNxmMatch } from './match.ts';
import {
  entries,
  flags,
  idOrAny,
  nothing,
  portOrAny,
  portOrAny16,
  readSized,
} from './message-parts.ts';
import type { Reader } from './reader.ts';
import { type Codec, encode, struct, u16, u32 } from './wire.ts';
import type { Writer } from './writer.ts';

export interface MonitorFlags {
  readonly initial: boolean;
  readonly add: boolean;
  readonly removed: boolean;
  readonly modify: boolean;
  /** Tell instructions, too. */
  readonly instructions: boolean;
  /** Changes of one's own are not abbreviated. */
  readonly noAbbreviation: boolean;
  readonly onlyOwn: boolean;
}

export interface MonitorRequest {
  readonly monitorId: number;
  readonly command: 'add' | 'modify' | 'delete';
  readonly flags: MonitorFlags;
  readonly outPort: OfPort | null;
  readonly outGroup: number | null;
  /** 255 for all. */
  readonly tableId: number;
  readonly match: Match;
}

const standardFlags = flags(
  u16,
  {
    initial: '1.4+ 0x1',
    add: '1.4+ 0x2',
    removed: '1.4+ 0x4',
    modify: '1.4+ 0x8',
    instructions: '1.4+ 0x10',
    noAbbreviation: '1.4+ 0x20',
    onlyOwn: '1.4+ 0x40',
  },
  'OFPMOFC_BAD_FLAGS',
);

/** In the extensions the last flag reverses the meaning: own changes in full. Open vSwitch maps it to "only own". */
const extensionFlags = flags(
  u16,
  {
    initial: '1.0+ 0x1',
    add: '1.0+ 0x2',
    removed: '1.0+ 0x4',
    modify: '1.0+ 0x8',
    instructions: '1.0+ 0x10',
    onlyOwn: '1.0+ 0x20',
  },
  'OFPMOFC_BAD_FLAGS',
);

const NO_MONITOR_FLAGS: MonitorFlags = {
  initial: false,
  add: false,
  removed: false,
  modify: false,
  instructions: false,
  noAbbreviation: false,
  onlyOwn: false,
};

const MUST_BE_ZERO = 'NXBRC_MUST_BE_ZERO';

function monitored(r: Reader, value: MonitorFlags): MonitorFlags {
  if (!value.add && !value.removed && !value.modify) r.fail('OFPMOFC_BAD_FLAGS');
  return value;
}

const readExtensionFlags = (r: Reader): MonitorFlags =>
  monitored(r, { ...extensionFlags.decode(r), noAbbreviation: false });

const requestNx: Codec<MonitorRequest> = {
  decode(r) {
    const monitorId = r.u32();
    const value = readExtensionFlags(r);
    const outPort = portOrAny16.decode(r);
    const matchLength = r.u16();
    const tableId = r.u8();
    r.zeros(5, MUST_BE_ZERO);
    const { match } = readNxmMatch(r, matchLength);
    const head = { monitorId, command: 'add', flags: value, outPort, outGroup: null } as const;
    return { ...head, tableId, match };
  },
  encode(w, request) {
    w.u32(request.monitorId);
    extensionFlags.encode(w, request.flags);
    portOrAny16.encode(w, request.outPort);
    const lengthAt = w.length;
    w.zeros(2);
    w.u8(request.tableId);
    w.zeros(5);
    w.patchU16(lengthAt, writeNxmMatch(w, request.match));
  },
};

/** The length of an OXM match without its padding, which is what it says of itself. */
function writeMatchWithLength(w: Writer, match: Match, lengthAt: number): void {
  const bytes = encode(matchCodec, match, w.context);
  w.patchU16(lengthAt, (bytes[2] << 8) | bytes[3]);
  w.put(bytes);
}

const requestOnf: Codec<MonitorRequest> = {
  decode(r) {
    const monitorId = r.u32();
    const value = readExtensionFlags(r);
    r.skip(2);
    const outPort = portOrAny().decode(r);
    const tableId = r.u8();
    r.zeros(3, MUST_BE_ZERO);
    const match = matchCodec.decode(r);
    const head = { monitorId, command: 'add', flags: value, outPort, outGroup: null } as const;
    return { ...head, tableId, match };
  },
  encode(w, request) {
    w.u32(request.monitorId);
    extensionFlags.encode(w, request.flags);
    const lengthAt = w.length;
    w.zeros(2);
    portOrAny().encode(w, request.outPort);
    w.u8(request.tableId);
    w.zeros(3);
    writeMatchWithLength(w, request.match, lengthAt);
  },
};

const COMMANDS = ['add', 'modify', 'delete'] as const;

const request14: Codec<MonitorRequest> = {
  decode(r) {
    const monitorId = r.u32();
    const portWindow = r.window(4);
    const outGroup = idOrAny.decode(r);
    const flagsWindow = r.window(2);
    const tableId = r.u8();
    const command = COMMANDS[r.u8()];
    if (command === 'delete') {
      const any = { flags: NO_MONITOR_FLAGS, outPort: null, outGroup: null };
      return { monitorId, command, ...any, tableId, match: matchCodec.decode(r) };
    }
    const value = monitored(r, standardFlags.decode(flagsWindow));
    const outPort = portOrAny().decode(portWindow);
    const match = matchCodec.decode(r);
    if (command === undefined) return r.fail('OFPMOFC_BAD_COMMAND');
    return { monitorId, command, flags: value, outPort, outGroup, tableId, match };
  },
  encode(w, request) {
    w.u32(request.monitorId);
    portOrAny().encode(w, request.outPort);
    idOrAny.encode(w, request.outGroup);
    standardFlags.encode(w, request.flags);
    w.u8(request.tableId);
    w.u8(COMMANDS.indexOf(request.command));
    matchCodec.encode(w, request.match);
  },
};

interface FullUpdate {
  readonly event: 'initial' | 'added' | 'removed' | 'modified';
  /** Of removed. */
  readonly reason: FlowRemovedReason | null;
  readonly priority: number;
  readonly idleTimeoutSeconds: number;
  readonly hardTimeoutSeconds: number;
  readonly tableId: number;
  readonly cookie: bigint;
  readonly match: Match;
  readonly actions: readonly Action[];
}

export type FlowUpdate =
  | FullUpdate
  /** Changes by the receiver itself, in the message of this xid. */
  | { readonly event: 'abbreviated'; readonly xid: number }
  | { readonly event: 'paused' }
  | { readonly event: 'resumed' };

type UpdateEvent = FlowUpdate['event'];

const EVENTS_14: readonly UpdateEvent[] = [
  'initial',
  'added',
  'removed',
  'modified',
  'abbreviated',
  'paused',
  'resumed',
];
/** The extensions tell flows that existed before as added, and pauses in messages of their own. */
const EVENTS_NX: readonly UpdateEvent[] = ['added', 'removed', 'modified', 'abbreviated'];

const eventNx = (event: UpdateEvent): number =>
  EVENTS_NX.indexOf(event === 'initial' ? 'added' : event);

/** Reasons count for what is removed; other updates have any number there. */
const reasonOf = (r: Reader, event: UpdateEvent, number: number): FlowRemovedReason | null =>
  event === 'removed' ? readRemovedReason(r, number) : null;

const reasonNumber = (w: Writer, update: FullUpdate): number =>
  update.reason === null ? 0 : removedReason(w, update.reason);

const bare = (r: Reader, bytes: number): void => {
  if (r.left !== bytes) r.fail('OFPBRC_BAD_LEN');
};

/** Updates are of multiples of 8 bytes; the events decide about the rest. */
const update = (
  events: readonly UpdateEvent[],
  number: (event: UpdateEvent) => number,
  readFull: (r: Reader, event: FullUpdate['event']) => FullUpdate,
  writeFull: (w: Writer, value: FullUpdate) => void,
): Codec<FlowUpdate> => ({
  decode: (r) =>
    readSized(r, 8, (inner) => {
      if (inner.left % 8 !== 0) r.fail('OFPBRC_BAD_LEN');
      inner.skip(2);
      const event = events[inner.u16()] ?? r.fail('NXBRC_FM_BAD_EVENT');
      if (event === 'abbreviated') {
        bare(inner, 4);
        return { event, xid: inner.u32() };
      }
      if (event === 'paused' || event === 'resumed') {
        bare(inner, 4);
        return { event };
      }
      return readFull(inner, event);
    }),
  encode(w, value) {
    const start = w.length;
    w.zeros(2);
    w.u16(number(value.event));
    if (value.event === 'abbreviated') w.u32(value.xid);
    else if (value.event === 'paused' || value.event === 'resumed') w.zeros(4);
    else writeFull(w, value);
    w.patchU16(start, w.length - start);
  },
});

const headNx = {
  read(r: Reader, event: FullUpdate['event']) {
    const reason = reasonOf(r, event, r.u16());
    const priority = r.u16();
    const idleTimeoutSeconds = r.u16();
    const hardTimeoutSeconds = r.u16();
    const matchLength = r.u16();
    const tableId = r.u8();
    r.skip(1);
    const head = { event, reason, priority, idleTimeoutSeconds, hardTimeoutSeconds, tableId };
    return { head: { ...head, cookie: r.u64() }, matchLength };
  },
  /** Gives where the match's length belongs. */
  write(w: Writer, value: FullUpdate): number {
    w.u16(reasonNumber(w, value));
    w.u16(value.priority);
    w.u16(value.idleTimeoutSeconds);
    w.u16(value.hardTimeoutSeconds);
    const lengthAt = w.length;
    w.zeros(2);
    w.u8(value.tableId);
    w.zeros(1);
    w.u64(value.cookie);
    return lengthAt;
  },
};

const updateNx = update(
  EVENTS_NX,
  eventNx,
  (r, event) => {
    const { head, matchLength } = headNx.read(r, event);
    const { match } = readNxmMatch(r, matchLength);
    return { ...head, match, actions: readActions(r, r.left) };
  },
  (w, value) => {
    const lengthAt = headNx.write(w, value);
    w.patchU16(lengthAt, writeNxmMatch(w, value.match));
    writeActions(w, value.actions);
  },
);

const updateOnf = update(
  EVENTS_NX,
  eventNx,
  (r, event) => {
    const { head } = headNx.read(r, event);
    return { ...head, match: matchCodec.decode(r), actions: readInstructions(r) };
  },
  (w, value) => {
    const lengthAt = headNx.write(w, value);
    writeMatchWithLength(w, value.match, lengthAt);
    writeInstructions(w, value.actions);
  },
);

const update14 = update(
  EVENTS_14,
  (event) => EVENTS_14.indexOf(event),
  (r, event) => {
    const tableId = r.u8();
    const reason = reasonOf(r, event, r.u8());
    const idleTimeoutSeconds = r.u16();
    const hardTimeoutSeconds = r.u16();
    const priority = r.u16();
    r.skip(4);
    const cookie = r.u64();
    const match = matchCodec.decode(r);
    const head = { event, tableId, reason, idleTimeoutSeconds, hardTimeoutSeconds, priority };
    return { ...head, cookie, match, actions: readInstructions(r) };
  },
  (w, value) => {
    w.u8(value.tableId);
    w.u8(reasonNumber(w, value));
    w.u16(value.idleTimeoutSeconds);
    w.u16(value.hardTimeoutSeconds);
    w.u16(value.priority);
    w.zeros(4);
    w.u64(value.cookie);
    matchCodec.encode(w, value.match);
    writeInstructions(w, value.actions);
  },
);

const cancel = struct({ monitorId: u32 });

export const monitorMessages = {
  /** A request may have several monitors. */
  flowMonitorRequest: {
    'request 1.4+ 16': entries(request14),
    'onf-request 1.3-1.3 1870': entries(requestOnf),
    'nx-request 1.0-1.2 2': entries(requestNx),
  },
  flowMonitorReply: {
    'reply 1.4+ 16': entries(update14),
    'onf-reply 1.3-1.3 1870': entries(updateOnf),
    'nx-reply 1.0-1.2 2': entries(updateNx),
  },
  flowMonitorCancel: { 'onf 1.3-1.3 1870': cancel, 'nx 1.0-1.2 21': cancel },
  flowMonitorPaused: { 'onf 1.3-1.3 1871': nothing, 'nx 1.0-1.2 22': nothing },
  flowMonitorResumed: { 'onf 1.3-1.3 1872': nothing, 'nx 1.0-1.2 23': nothing },
} as const;
