/**
 * Packets to and from the controller: packet-in in six forms (OpenFlow 1.3.5, 7.4.1; NXT_PACKET_IN; NXT_PACKET_IN2, whose properties
 * NXT_RESUME sends back), and packet-out (7.3.7).
 */
import { MATCH_ALL, type Match } from '../../flowtable/match.ts';
import { type OfPort, ofPort } from '../../flowtable/of-port.ts';
import { OF_IN_PORT } from '../../packet/key.ts';
import type { PacketIn, PacketInReason, PacketOut } from '../model.ts';
import { NO_BUFFER } from '../model.ts';
import { readActions, writeActions } from './actions.ts';
import { matchCodec, readNxmMatch, readOxmMatch, readOxms, writeNxmMatch } from './match.ts';
import { writeOxms } from './match-encode.ts';
import { MatchFields } from './match-fields.ts';
import { only, portOrAny, readProperties, since, writeProperty } from './message-parts.ts';
import type { Reader } from './reader.ts';
import { OF12, OF13, OF14 } from './versions.ts';
import { type Codec, u8, u32, u64 } from './wire.ts';
import type { Writer } from './writer.ts';

export interface PacketInMessage {
  readonly packetIn: PacketIn;
  readonly bufferId: number;
  /** Bytes of the packet, of which `frame` may be a part. */
  readonly totalLength: number;
}

const WIRE_REASONS: readonly PacketInReason[] = [
  'noMatch',
  'action',
  'invalidTtl',
  'actionSet',
  'group',
  'packetOut',
];

/** A miss is "no match" however it came; what 1.4 tells apart are actions before. */
function reasonNumber(w: Writer, reason: PacketInReason): number {
  if (reason === 'explicitMiss' || reason === 'implicitMiss') return 0;
  const number = WIRE_REASONS.indexOf(reason);
  return number > 2 && w.version < OF14 ? 1 : number;
}

const readReason = (r: Reader): PacketInReason =>
  WIRE_REASONS[r.u8()] ?? r.fail('NXBRC_BAD_REASON');

const NO_PORT = ofPort(0xffff);
const ALL_BYTES = 0xffff;
const NO_TABLE = 255;
const UNKNOWN_COOKIE = 0xffff_ffff_ffff_ffffn;

const matchOfPort = (port: OfPort | null): Match => {
  const fields = new MatchFields();
  fields.setWord(OF_IN_PORT, port ?? NO_PORT, 0xffff_ffff);
  return fields.build();
};

const portOfMatch = (match: Match): OfPort => {
  const fields = MatchFields.of(match);
  return fields.maskWord(OF_IN_PORT) === 0 ? NO_PORT : ofPort(fields.word(OF_IN_PORT));
};

const received = (
  packetIn: Pick<PacketIn, 'reason' | 'tableId' | 'cookie' | 'match' | 'frame'>,
  bufferId: number,
  totalLength: number,
): PacketInMessage => ({
  packetIn: {
    ...packetIn,
    maxBytes: ALL_BYTES,
    controllerId: 0,
    userdata: null,
    continuation: null,
  },
  bufferId,
  totalLength,
});

/** Lengths of packets have 16 bits but in NXT_PACKET_IN2; a longer one (segmentation left to the device) is as long as can be said. */
const shortLength = (length: number): number => Math.min(length, 0xffff);

/** A message's length has 16 bits, too. */
const MOST_BYTES = 0xffff;

/** The bytes of the frame that the controller asked for, if there is room for them. */
const wanted = (w: Writer, packetIn: PacketIn): Uint8Array =>
  packetIn.frame.subarray(0, Math.min(packetIn.maxBytes, MOST_BYTES - w.length));

/** What metadata and the small properties may need beside a frame. */
const BESIDE_FRAME_BYTES = 4096;

const packetIn10: Codec<PacketInMessage> = {
  decode(r) {
    const bufferId = r.u32();
    const totalLength = r.u16();
    const match = matchOfPort(portOrAny().decode(r));
    const reason = readReason(r);
    r.skip(1);
    const head = { reason, tableId: NO_TABLE, cookie: UNKNOWN_COOKIE, match };
    return received({ ...head, frame: r.rest() }, bufferId, totalLength);
  },
  encode(w, { packetIn, bufferId, totalLength }) {
    w.u32(bufferId);
    w.u16(shortLength(totalLength));
    portOrAny().encode(w, portOfMatch(packetIn.match));
    w.u8(reasonNumber(w, packetIn.reason));
    w.zeros(1);
    w.put(wanted(w, packetIn));
  },
};

const packetIn11: Codec<PacketInMessage> = {
  decode(r) {
    const bufferId = r.u32();
    const match = matchOfPort(portOrAny().decode(r));
    r.skip(4);
    const totalLength = r.u16();
    const reason = readReason(r);
    const tableId = r.u8();
    const head = { reason, tableId, cookie: UNKNOWN_COOKIE, match };
    return received({ ...head, frame: r.rest() }, bufferId, totalLength);
  },
  encode(w, { packetIn, bufferId, totalLength }) {
    const port = portOfMatch(packetIn.match);
    w.u32(bufferId);
    portOrAny().encode(w, port);
    portOrAny().encode(w, port);
    w.u16(shortLength(totalLength));
    w.u8(reasonNumber(w, packetIn.reason));
    w.u8(packetIn.tableId);
    w.put(wanted(w, packetIn));
  },
};

const LOOSE = { loose: true } as const;

const packetIn12: Codec<PacketInMessage> = {
  decode(r) {
    const bufferId = r.u32();
    const totalLength = r.u16();
    const reason = readReason(r);
    const tableId = r.u8();
    const cookie = r.version >= OF13 ? r.u64() : UNKNOWN_COOKIE;
    const match = readOxmMatch(r, LOOSE);
    r.skip(2);
    const head = { reason, tableId, cookie, match };
    return received({ ...head, frame: r.rest() }, bufferId, totalLength);
  },
  encode(w, { packetIn, bufferId, totalLength }) {
    w.u32(bufferId);
    w.u16(shortLength(totalLength));
    w.u8(reasonNumber(w, packetIn.reason));
    w.u8(packetIn.tableId);
    if (w.version >= OF13) w.u64(packetIn.cookie);
    matchCodec.encode(w, packetIn.match);
    w.zeros(2);
    w.put(wanted(w, packetIn));
  },
};

const packetInNx: Codec<PacketInMessage> = {
  decode(r) {
    const bufferId = r.u32();
    const totalLength = r.u16();
    const reason = readReason(r);
    const tableId = r.u8();
    const cookie = r.u64();
    const matchLength = r.u16();
    r.skip(6);
    const { match } = readNxmMatch(r, matchLength, LOOSE);
    r.skip(2);
    const head = { reason, tableId, cookie, match };
    return received({ ...head, frame: r.rest() }, bufferId, totalLength);
  },
  encode(w, { packetIn, bufferId, totalLength }) {
    w.u32(bufferId);
    w.u16(shortLength(totalLength));
    w.u8(reasonNumber(w, packetIn.reason));
    w.u8(packetIn.tableId);
    w.u64(packetIn.cookie);
    const lengthAt = w.length;
    w.zeros(8);
    w.patchU16(lengthAt, writeNxmMatch(w, packetIn.match));
    w.zeros(2);
    w.put(wanted(w, packetIn));
  },
};

const PACKET = 0;
const FULL_LENGTH = 1;
const BUFFER_ID = 2;
const TABLE_ID = 3;
const COOKIE = 4;
const REASON = 5;
const METADATA = 6;
const USERDATA = 7;
const CONTINUATION = 8;

/** What a switch sends may have fields and properties of later times, what it gets back may not. */
const packetIn2 = (loose: boolean): Codec<PacketInMessage> => ({
  decode(r) {
    let frame: Uint8Array | null = null;
    let totalLength = 0;
    let bufferId = NO_BUFFER;
    let tableId = 0;
    let cookie = UNKNOWN_COOKIE;
    let reason: PacketInReason = 'noMatch';
    let match = MATCH_ALL;
    let userdata: Uint8Array | null = null;
    let continuation: Uint8Array | null = null;
    readProperties(
      r,
      ({ type, experimenter }, body) => {
        if (experimenter !== null) return false;
        if (type === PACKET) frame = body.rest();
        else if (type === FULL_LENGTH) totalLength = only(body, u32);
        else if (type === BUFFER_ID) bufferId = only(body, u32);
        else if (type === TABLE_ID) tableId = only(body, u8);
        else if (type === COOKIE) cookie = propertyU64(body);
        else if (type === REASON) reason = readReason(body);
        else if (type === METADATA) match = readOxms(body, { loose });
        else if (type === USERDATA) userdata = body.rest();
        else if (type === CONTINUATION) continuation = readNested(body);
        else return false;
        return true;
      },
      { loose },
    );
    const got: Uint8Array = frame ?? r.fail('OFPBRC_BAD_LEN');
    if (got.length === 0) r.fail('OFPBRC_BAD_LEN');
    if (totalLength !== 0 && totalLength < got.length) r.fail('OFPBRC_BAD_LEN');
    const head = { reason, tableId, cookie, match, frame: got };
    const base = received(head, bufferId, totalLength === 0 ? got.length : totalLength);
    return { ...base, packetIn: { ...base.packetIn, userdata, continuation } };
  },
  encode(w, { packetIn, bufferId, totalLength }) {
    const { userdata, continuation, cookie } = packetIn;
    // Who resumes a packet needs all of it.
    const asked = continuation === null ? packetIn.maxBytes : MOST_BYTES;
    const beside = (userdata?.length ?? 0) + (continuation?.length ?? 0) + BESIDE_FRAME_BYTES;
    const frame = packetIn.frame.subarray(0, Math.min(asked, Math.max(MOST_BYTES - beside, 0)));
    writeProperty(w, PACKET, () => w.put(frame));
    if (totalLength !== frame.length) writeProperty(w, FULL_LENGTH, () => w.u32(totalLength));
    if (bufferId !== NO_BUFFER) writeProperty(w, BUFFER_ID, () => w.u32(bufferId));
    writeProperty(w, TABLE_ID, () => w.u8(packetIn.tableId));
    if (cookie !== UNKNOWN_COOKIE) {
      writeProperty(w, COOKIE, () => {
        w.zeros(4);
        w.u64(cookie);
      });
    }
    writeProperty(w, REASON, () => w.u8(reasonNumber(w, packetIn.reason)));
    writeProperty(w, METADATA, () => writeOxms(w, packetIn.match, Math.max(w.version, OF12) as 3));
    if (continuation !== null) {
      writeProperty(w, CONTINUATION, () => {
        w.zeros(4);
        w.put(continuation);
      });
    }
    if (userdata !== null) writeProperty(w, USERDATA, () => w.put(userdata));
  },
});

/** 64-bit values and nested properties stand at a multiple of 8, behind 4 bytes of padding. */
function propertyU64(body: Reader): bigint {
  body.skip(4);
  return only(body, u64);
}

function readNested(body: Reader): Uint8Array {
  body.skip(4);
  return body.rest();
}

const MAX_PORT = 0xff00;
const LOCAL = 0xfffe;
const CONTROLLER = 0xfffd;

/** Packets can come from ports, and be said to come from the controller, the switch itself or nowhere. */
function checkPort(r: Reader, port: OfPort): void {
  const number: number = port;
  if (number < MAX_PORT || number === LOCAL || number === CONTROLLER || port === NO_PORT) return;
  r.fail('OFPBRC_BAD_PORT');
}

function readOut(
  r: Reader,
  bufferId: number,
  match: Match,
  actionsLength: number,
  inPort: OfPort,
): PacketOut {
  const actions = readActions(r, actionsLength);
  checkPort(r, inPort);
  // Bytes behind a buffered packet's actions say nothing.
  const rest = r.rest();
  const data = bufferId === NO_BUFFER ? rest : new Uint8Array(0);
  return { bufferId, match, inPort, actions, data };
}

const out10: Codec<PacketOut> = {
  decode(r) {
    const bufferId = r.u32();
    const inPort = portOrAny('OFPBRC_BAD_PORT').decode(r) ?? NO_PORT;
    const actionsLength = r.u16();
    if (r.version >= 2) r.skip(6);
    return readOut(r, bufferId, matchOfPort(inPort), actionsLength, inPort);
  },
  encode(w, value) {
    w.u32(value.bufferId);
    portOrAny().encode(w, value.inPort);
    const lengthAt = w.length;
    w.zeros(w.version >= 2 ? 8 : 2);
    writeOut(w, value, lengthAt);
  },
};

function writeOut(w: Writer, value: PacketOut, lengthAt: number): void {
  const actionsAt = w.length;
  writeActions(w, value.actions);
  w.patchU16(lengthAt, w.length - actionsAt);
  w.put(value.data);
}

/** In 1.5 a match tells the port and other metadata. */
const out15: Codec<PacketOut> = {
  decode(r) {
    const bufferId = r.u32();
    const actionsLength = r.u16();
    r.skip(2);
    const match = matchCodec.decode(r);
    const inPort = portOfMatch(match);
    // OpenFlow 1.5.1, 7.3.6: in_port is mandatory.
    if (MatchFields.of(match).maskWord(OF_IN_PORT) === 0) r.fail('OFPBRC_BAD_PORT');
    return readOut(r, bufferId, match, actionsLength, inPort);
  },
  encode(w, value) {
    w.u32(value.bufferId);
    const lengthAt = w.length;
    w.zeros(4);
    const fields = MatchFields.of(value.match);
    if (fields.maskWord(OF_IN_PORT) === 0) {
      fields.setWord(OF_IN_PORT, value.inPort, 0xffff_ffff);
    }
    matchCodec.encode(w, fields.build());
    writeOut(w, value, lengthAt);
  },
};

const wrap = (codec: Codec<PacketOut>): Codec<{ readonly packetOut: PacketOut }> => ({
  decode: (r) => ({ packetOut: codec.decode(r) }),
  encode: (w, value) => codec.encode(w, value.packetOut),
});

export const packetMessages = {
  packetIn: {
    'of 1.0+ 10': since({ 1: packetIn10, 2: packetIn11, 3: packetIn12 }),
    'nx 1.0+ 17': packetInNx,
    'nx 1.0+ 30': packetIn2(true),
  },
  resume: { 'nx 1.0+ 28': packetIn2(false) },
  packetOut: { 'of 1.0+ 13': wrap(since({ 1: out10, 6: out15 })) },
} as const;
