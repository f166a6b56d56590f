/**
 * Flow modifications: OpenFlow 1.0's, with its fixed match; 1.1+'s (OpenFlow 1.3.5, 7.3.4.1); and Nicira's, with a match of NXM entries in
 * which the cookie to look for may stand.
 *
 * In 1.0 and in Nicira's message the high byte of the command is the table when the controller asked for that (flowModTableId of the
 * context); else any table. Errors are those of Open vSwitch, in its order: match, command, actions, flags.
 */
import type { FlowFlags, FlowMod, FlowModCommand } from '../model.ts';
import { OFPG_ANY, OFPTT_ALL } from '../model.ts';
import { readInstructions, writeInstructions } from './instructions.ts';
import { matchCodec, readNxmMatch, writeNxmMatch } from './match.ts';
import { flags, portOrAny, portOrAny16 } from './message-parts.ts';
import type { Reader } from './reader.ts';
import { OF11, OF14 } from './versions.ts';
import { type Codec, u16 } from './wire.ts';
import type { Writer } from './writer.ts';

const COMMANDS: readonly FlowModCommand[] = [
  'add',
  'modify',
  'modifyStrict',
  'delete',
  'deleteStrict',
];

const COOKIE_UNCHANGED = 0xffff_ffff_ffff_ffffn;

const wireFlags = flags(
  u16,
  {
    sendFlowRemoved: '1.0+ 0x1',
    checkOverlap: '1.0+ 0x2',
    emergency: '1.0-1.0 0x4',
    resetCounts: '1.2+ 0x4',
    noPacketCounts: '1.3+ 0x8',
    noByteCounts: '1.3+ 0x10',
  },
  'OFPFMFC_BAD_FLAGS',
);

interface ReadFlags {
  readonly flags: FlowFlags;
  /** The same with resetCounts. */
  readonly resetting: FlowFlags;
  readonly emergency: boolean;
}

/** By version and bits, as far as they were read already: few, and flows by the hundred thousand share them. */
const flagsRead = new Map<number, ReadFlags>();

export function readFlowFlags(r: Reader): ReadFlags {
  const key = r.version * 0x10000 + r.peekU16();
  let known = flagsRead.get(key);
  if (known === undefined) {
    const { emergency, ...rest } = wireFlags.decode(r);
    const flags = { ...rest, hiddenFields: false, noReadonly: false };
    known = { flags, resetting: { ...flags, resetCounts: true }, emergency };
    flagsRead.set(key, known);
  } else r.skip(2);
  return known;
}

export const writeFlowFlags = (w: Writer, value: FlowFlags): void =>
  wireFlags.encode(w, { ...value, emergency: false });

interface Fixed {
  readonly idleTimeoutSeconds: number;
  readonly hardTimeoutSeconds: number;
  readonly priority: number;
  readonly bufferId: number;
}

const readTimes = (r: Reader) => ({
  idleTimeoutSeconds: r.u16(),
  hardTimeoutSeconds: r.u16(),
  priority: r.u16(),
  bufferId: r.u32(),
});

function writeTimes(w: Writer, mod: Fixed): void {
  w.u16(mod.idleTimeoutSeconds);
  w.u16(mod.hardTimeoutSeconds);
  w.u16(mod.priority);
  w.u32(mod.bufferId);
}

const commandOf = (r: Reader, number: number): FlowModCommand =>
  COMMANDS[number] ?? r.fail('OFPFMFC_BAD_COMMAND');

/** Table and command of a command word of 1.0 or Nicira. */
function splitCommand(r: Reader, word: number): { number: number; tableId: number } {
  return r.context.flowModTableId === true
    ? { number: word & 0xff, tableId: word >>> 8 }
    : { number: word, tableId: OFPTT_ALL };
}

function joinCommand(w: Writer, mod: FlowMod): number {
  const number = COMMANDS.indexOf(mod.command);
  return w.context.flowModTableId === true ? (mod.tableId << 8) | number : number;
}

/** Flags are read before the actions that stand behind them, and judged after. */
function finishFlags(r: Reader, raw: Reader, command: FlowModCommand, times: Fixed): FlowFlags {
  const { flags, resetting, emergency } = readFlowFlags(raw);
  if (emergency) {
    const timed = times.idleTimeoutSeconds !== 0 || times.hardTimeoutSeconds !== 0;
    r.fail(timed ? 'OFPFMFC_BAD_EMERG_TIMEOUT' : 'OFPFMFC_TABLE_FULL');
  }
  const always = r.version <= OF11 && command === 'add';
  return always ? resetting : flags;
}

const WILDCARDS_10 = 0x3fffff;
const EXACT_PRIORITY = 0xffff;

export const flowMod10: Codec<FlowMod> = {
  decode(r) {
    const exact = ((r.peekU16() * 0x10000 + r.peekU16(2)) & WILDCARDS_10) === 0;
    const match = matchCodec.decode(r);
    const cookie = r.u64();
    const { number, tableId } = splitCommand(r, r.u16());
    const times = readTimes(r);
    const outPort = portOrAny().decode(r);
    const rawFlags = r.window(2);
    const command = commandOf(r, number);
    const actions = readInstructions(r);
    return {
      command,
      tableId,
      match,
      actions,
      newCookie: cookie === COOKIE_UNCHANGED ? null : cookie,
      cookie: 0n,
      cookieMask: 0n,
      importance: 0,
      outPort,
      outGroup: null,
      flags: finishFlags(r, rawFlags, command, times),
      version: r.version,
      ...times,
      // An exact match beats all that have wildcards (OpenFlow 1.0.2, 3.4).
      priority: exact ? EXACT_PRIORITY : times.priority,
    };
  },
  encode(w, mod) {
    matchCodec.encode(w, mod.match);
    w.u64(mod.newCookie ?? COOKIE_UNCHANGED);
    w.u16(joinCommand(w, mod));
    writeTimes(w, mod);
    portOrAny().encode(w, mod.outPort);
    writeFlowFlags(w, mod.flags);
    writeInstructions(w, mod.actions);
  },
};

/** In 1.1 a modify that asks for no cookie adds the flow when there is none, and then needs one. */
const setsCookie = (version: number, command: FlowModCommand, cookieMask: bigint): boolean =>
  command === 'add' ||
  (version === OF11 && (command === 'modify' || command === 'modifyStrict') && cookieMask === 0n);

const isDelete = (command: FlowModCommand | undefined): boolean =>
  command === 'delete' || command === 'deleteStrict';

/** All tables can be meant by a delete only, and in 1.1 never. A command that does not exist is undefined. */
const badTable = (version: number, tableId: number, command: FlowModCommand | undefined): boolean =>
  tableId === OFPTT_ALL && (version === OF11 || !isDelete(command));

export const flowMod11: Codec<FlowMod> = {
  decode(r) {
    const wireCookie = r.u64();
    const wireMask = r.u64();
    const tableId = r.u8();
    const number = r.u8();
    const times = readTimes(r);
    const wirePort = r.window(4);
    const outGroup = r.u32();
    const rawFlags = r.window(2);
    const importance = r.u16();
    const match = matchCodec.decode(r);
    if (badTable(r.version, tableId, COMMANDS[number])) r.fail('OFPFMFC_BAD_TABLE_ID');
    const outPort = portOrAny().decode(wirePort);
    const command = commandOf(r, number);
    const actions = readInstructions(r);
    const sets = setsCookie(r.version, command, wireMask);
    return {
      command,
      tableId,
      match,
      actions,
      newCookie: sets ? wireCookie : null,
      cookie: sets ? 0n : wireCookie,
      cookieMask: sets ? 0n : wireMask,
      importance: r.version >= OF14 && command === 'add' ? importance : 0,
      outPort,
      outGroup: isDelete(command) && outGroup !== OFPG_ANY ? outGroup : null,
      flags: finishFlags(r, rawFlags, command, times),
      version: r.version,
      ...times,
    };
  },
  encode(w, mod) {
    const sets = setsCookie(w.version, mod.command, mod.cookieMask);
    w.u64(sets ? (mod.newCookie ?? 0n) : mod.cookie & mod.cookieMask);
    w.u64(mod.cookieMask);
    w.u8(badTable(w.version, mod.tableId, mod.command) ? 0 : mod.tableId);
    w.u8(COMMANDS.indexOf(mod.command));
    writeTimes(w, mod);
    portOrAny().encode(w, mod.outPort);
    w.u32(mod.outGroup ?? OFPG_ANY);
    writeFlowFlags(w, mod.flags);
    w.u16(w.version >= OF14 && mod.command === 'add' ? mod.importance : 0);
    matchCodec.encode(w, mod.match);
    writeInstructions(w, mod.actions);
  },
};

export const flowModNx: Codec<FlowMod> = {
  decode(r) {
    const newCookie = r.u64();
    const { number, tableId } = splitCommand(r, r.u16());
    const times = readTimes(r);
    const outPort = portOrAny16.decode(r);
    const rawFlags = r.window(2);
    const matchLength = r.u16();
    r.skip(6);
    const { match, cookie, cookieMask } = readNxmMatch(r, matchLength);
    // What is added has no cookie yet that could be asked for.
    if (number === 0 && cookieMask !== 0n) r.fail('NXBRC_NXM_INVALID');
    const command = commandOf(r, number);
    const actions = readInstructions(r);
    return {
      command,
      tableId,
      match,
      actions,
      newCookie: newCookie === COOKIE_UNCHANGED ? null : newCookie,
      cookie,
      cookieMask,
      importance: 0,
      outPort,
      outGroup: null,
      flags: finishFlags(r, rawFlags, command, times),
      version: r.version,
      ...times,
    };
  },
  encode(w, mod) {
    w.u64(mod.newCookie ?? COOKIE_UNCHANGED);
    w.u16(joinCommand(w, mod));
    writeTimes(w, mod);
    portOrAny16.encode(w, mod.outPort);
    writeFlowFlags(w, mod.flags);
    const lengthAt = w.length;
    w.zeros(8);
    w.patchU16(lengthAt, writeNxmMatch(w, mod.match, mod.cookie, mod.cookieMask));
    writeInstructions(w, mod.actions);
  },
};
