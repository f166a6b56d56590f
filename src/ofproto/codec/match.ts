/**
 * Matches on the wire: OXM (OpenFlow 1.3.5, 7.2.3), NXM of Nicira's extended messages, and the fixed structures of
 * 1.1 and 1.0 (match-fixed.ts). All become the flow table's `Match`.
 */
import type { Match } from '../../flowtable/match.ts';
import { type Field, isHeaderField } from '../../packet/fields.ts';
import { writeOxms } from './match-encode.ts';
import { isValueValid, MatchFields, type PlainField, plainField } from './match-fields.ts';
import { readMatch10, readMatch11, writeMatch10, writeMatch11 } from './match-fixed.ts';
import { type OxmFlavour, readOxmHeader, readOxmPayload, wireOnes } from './oxm.ts';
import type { Reader } from './reader.ts';
import { OF10, OF11 } from './versions.ts';
import type { Codec } from './wire.ts';
import type { Writer } from './writer.ts';

const OFPMT_STANDARD = 0;
const OFPMT_OXM = 1;
const OFPMT11_STANDARD_LENGTH = 88;

/** NXM_NX_COOKIE: no field, but how NXT_FLOW_MOD and flow requests restrict to cookies. Its number is MPLS TTL's, too. */
const COOKIE_CLASS = 0x0001;
const COOKIE_FIELD = 30;

interface OxmOptions {
  /** Passes over unknown fields and does not ask for prerequisites: packet metadata of packet-in and packet-out. */
  readonly loose?: boolean;
  /** Refuses header fields, as packet-outs of OpenFlow 1.5 must. */
  readonly pipelineOnly?: boolean;
}

export interface NxmMatch {
  readonly match: Match;
  readonly cookie: bigint;
  readonly cookieMask: bigint;
}

const isPipelineField = (f: Field): boolean => !isHeaderField(f) && f.name !== 'packet_type';

function setField(
  r: Reader,
  match: MatchFields,
  f: Field,
  isThere: boolean,
  options: OxmOptions,
): void {
  if (options.loose !== true && !match.allows(f.prerequisite)) r.fail('OFPBMC_BAD_PREREQ');
  if (isThere) r.fail('OFPBMC_DUP_FIELD');
  if (options.pipelineOnly === true && !isPipelineField(f)) r.fail('OFPBRC_PIPELINE_FIELDS_ONLY');
}

/** The rest of the entry of a field that needs no conversion: as below, by plain numbers. */
function readPlain(
  r: Reader,
  match: MatchFields,
  f: Field,
  place: PlainField,
  hasMask: boolean,
  options: OxmOptions,
): void {
  const { bytes } = f;
  if (r.left < (hasMask ? 2 * bytes : bytes)) r.fail('OFPBMC_BAD_LEN');
  const { ones } = place;
  const all = bytes === 4 ? 0xffffffff : 2 ** (8 * bytes) - 1;
  const value = r.number(bytes);
  const mask = hasMask ? r.number(bytes) : all;
  if ((value & ~mask) !== 0) r.fail('OFPBMC_BAD_WILDCARDS');
  if (mask !== all && mask !== 0 && !f.maskable) r.fail('OFPBMC_BAD_MASK');
  if ((value & ~ones) !== 0) r.fail('OFPBMC_BAD_VALUE');
  setField(r, match, f, match.hasPlain(place), options);
  if (mask === 0) match.imply(f);
  else match.setPlain(f, place, value, (mask & ones) >>> 0);
}

/** Reads entries up to the end of the window. */
function readEntries(r: Reader, options: OxmOptions, cookies: boolean): NxmMatch {
  const match = new MatchFields();
  let cookie = 0n;
  let cookieMask = 0n;
  while (r.left > 0) {
    const header = readOxmHeader(r);
    const plain = header.field === null ? null : plainField(header.field);
    if (header.field !== null && plain !== null) {
      readPlain(r, match, header.field, plain, header.hasMask, options);
      continue;
    }
    const { value, mask } = readOxmPayload(r, header);
    const f = header.field;
    if (f === null) {
      const { id } = header;
      const isCookie = id.class === COOKIE_CLASS && id.field === COOKIE_FIELD;
      if (cookies && isCookie && header.payload === (header.hasMask ? 16 : 8)) {
        if (cookieMask !== 0n) r.fail('OFPBMC_DUP_FIELD');
        cookie = value;
        cookieMask = mask ?? 0xffff_ffff_ffff_ffffn;
        continue;
      }
      if (options.loose === true) continue;
      r.fail('OFPBMC_BAD_FIELD');
    }
    const whole = mask === null || mask === wireOnes(f);
    if (!whole && !f.maskable && mask !== 0n) r.fail('OFPBMC_BAD_MASK');
    if (!isValueValid(f, value)) r.fail('OFPBMC_BAD_VALUE');
    setField(r, match, f, match.has(f), options);
    // A mask of zeros matches anything, but for a Geneve option, which must be there.
    if (mask === 0n && !f.name.startsWith('tun_metadata')) {
      match.imply(f);
      continue;
    }
    match.set(f, value, whole ? null : mask);
  }
  return { match: match.build(), cookie, cookieMask };
}

/** Entries without header, to the end of the window. */
export const readOxms = (r: Reader, options: OxmOptions = {}): Match =>
  readEntries(r, options, false).match;

/** A window over `length` bytes of entries and their padding to 8. */
function entriesWindow(r: Reader, length: number): Reader {
  const padded = (length + 7) & ~7;
  if (r.left < padded) r.fail('OFPBMC_BAD_LEN');
  const window = r.window(length, 'OFPBMC_BAD_LEN');
  r.skip(padded - length);
  return window;
}

/** The nx_match of `length` bytes that NXT_ messages have, and its padding. */
export const readNxmMatch = (r: Reader, length: number, options: OxmOptions = {}): NxmMatch =>
  readEntries(entriesWindow(r, length), options, true);

/** Appends an nx_match with its padding; gives its length without. */
export function writeNxmMatch(w: Writer, match: Match, cookie = 0n, cookieMask = 0n): number {
  const start = w.length;
  writeOxms(w, match, 'nxm');
  if (cookieMask !== 0n) {
    const masked = cookieMask !== 0xffff_ffff_ffff_ffffn;
    w.u16(COOKIE_CLASS);
    w.u8((COOKIE_FIELD << 1) | (masked ? 1 : 0));
    w.u8(masked ? 16 : 8);
    w.u64(cookie & cookieMask);
    if (masked) w.u64(cookieMask);
  }
  const length = w.length - start;
  w.padTo(8, start);
  return length;
}

/** struct ofp_match of 1.2+, header and padding included. */
export function readOxmMatch(r: Reader, options: OxmOptions = {}): Match {
  if (r.left < 4) r.fail('OFPBMC_BAD_LEN');
  const type = r.peekU16();
  const length = r.peekU16(2);
  if (type === OFPMT_STANDARD && options.loose !== true) {
    if (length !== OFPMT11_STANDARD_LENGTH || r.left < length) r.fail('OFPBMC_BAD_LEN');
    return readMatch11(r);
  }
  if (type !== OFPMT_OXM) r.fail('OFPBMC_BAD_TYPE');
  if (length < 4) r.fail('OFPBMC_BAD_LEN');
  const window = entriesWindow(r, length);
  window.skip(4);
  return readOxms(window, options);
}

export function writeOxmMatch(w: Writer, match: Match, flavour: OxmFlavour = w.version): void {
  const start = w.length;
  w.u16(OFPMT_OXM);
  w.u16(0);
  writeOxms(w, match, flavour);
  w.patchU16(start + 2, w.length - start);
  w.padTo(8, start);
}

/** The match structure of the version: 40 bytes in 1.0, 88 in 1.1, OXM since. */
export const matchCodec: Codec<Match> = {
  decode: (r) => (r.version === OF10 ? readMatch10(r) : readOxmMatch(r)),
  encode(w, match) {
    if (w.version === OF10) writeMatch10(w, match);
    else if (w.version === OF11) writeMatch11(w, match);
    else writeOxmMatch(w, match);
  },
};
