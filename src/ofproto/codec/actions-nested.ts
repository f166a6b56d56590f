/**
 * Actions that hold others: clone and ct with a list of actions, nat within ct, and learn with its specs. Their forms are
 * made by a function that is handed the codec of action lists, so that no file imports itself.
 */
import type {
  Action,
  LearnSource,
  LearnSpec,
  NatAction,
  Subfield,
} from '../../flowtable/action.ts';
import {
  type ActionForm,
  type BodyOf,
  checkDestination,
  checkSource,
  nicira,
  nxmHeader,
  oxmHeader,
  readRange,
  writeRange,
} from './action-form.ts';
import type { Reader } from './reader.ts';
import { OF10, OF15 } from './versions.ts';
import type { Codec } from './wire.ts';
import type { Writer } from './writer.ts';

const ALL = [OF10, OF15] as const;
const LONGER = { mayBeLonger: true } as const;

/** Deeper nesting is refused, so that the sender cannot exhaust the stack. */
const MAX_DEPTH = 64;

const CT_COMMIT = 1;
const CT_FORCE = 2;
const NO_TABLE = 0xff;

const NAT_SRC = 1;
const NAT_DST = 2;
const NAT_PERSISTENT = 4;
const NAT_HASH = 8;
const NAT_RANDOM = 16;
const NAT_FLAGS = 31;

const RANGE_IPV4_MIN = 1;
const RANGE_IPV4_MAX = 2;
const RANGE_IPV6_MIN = 4;
const RANGE_IPV6_MAX = 8;
const RANGE_PORT_MIN = 16;
const RANGE_PORT_MAX = 32;

const LEARN_SEND_FLOW_REMOVED = 1;
const LEARN_DELETE_LEARNED = 2;
const LEARN_WRITE_RESULT = 4;
const SPEC_BITS = 0x7ff;
const SPEC_LOAD = 1 << 11;
const SPEC_OUTPUT = 2 << 11;
const SPEC_TO = 3 << 11;
const SPEC_IMMEDIATE = 1 << 13;

type ActionListCodec = Codec<readonly Action[]>;

function inner(r: Reader): Reader {
  const window = r.window(r.left);
  window.depth = r.depth + 1;
  if (window.depth > MAX_DEPTH) r.fail('OFPBAC_BAD_ARGUMENT');
  return window;
}

const clone = (list: ActionListCodec): Codec<BodyOf<'clone'>> => ({
  decode(r) {
    r.skip(6);
    const actions = list.decode(inner(r));
    if (actions.some((a) => a.kind === 'nat')) r.fail('OFPBAC_BAD_ARGUMENT');
    return { actions };
  },
  encode(w, { actions }) {
    w.zeros(6);
    list.encode(w, actions);
  },
});

/** The field that an action sets. */
function targetOf(action: Action): string | null {
  if (action.kind === 'setField') return action.field.name;
  return action.kind === 'load' || action.kind === 'move' ? action.dst.field.name : null;
}

const isPlainNat = (a: Action): boolean =>
  a.kind === 'nat' &&
  a.direction === null &&
  !a.persistent &&
  !a.hash &&
  !a.random &&
  a.family === null;

/** Within ct: nat, and what sets ct_mark and ct_label; without commit only a nat that commits nothing. */
function checkCtActions(r: Reader, actions: readonly Action[], commit: boolean): void {
  for (const a of actions) {
    const target = targetOf(a);
    const sets = target === 'ct_mark' || target === 'ct_label';
    if (a.kind !== 'nat' && !sets) r.fail('OFPBAC_BAD_ARGUMENT');
    if (!commit && !isPlainNat(a)) r.fail('OFPBAC_BAD_ARGUMENT');
  }
}

function readZone(r: Reader): number | Subfield {
  if (r.peekU16() === 0 && r.peekU16(2) === 0) {
    r.skip(4);
    return r.u16();
  }
  const field = nxmHeader.decode(r);
  const zone = checkSource(r, { field, ...readRange(r) });
  return zone.bits === 16 ? zone : r.fail('OFPBAC_BAD_SET_LEN');
}

const ct = (list: ActionListCodec): Codec<BodyOf<'ct'>> => ({
  decode(r) {
    const flags = r.u16();
    const commit = (flags & CT_COMMIT) !== 0;
    const force = (flags & CT_FORCE) !== 0;
    if (force && !commit) r.fail('OFPBAC_BAD_ARGUMENT');
    const zone = readZone(r);
    const table = r.u8();
    r.skip(3);
    const alg = r.u16();
    const actions = list.decode(inner(r));
    checkCtActions(r, actions, commit);
    return { commit, force, zone, table: table === NO_TABLE ? null : table, alg, actions };
  },
  encode(w, c) {
    w.u16((c.commit ? CT_COMMIT : 0) | (c.force ? CT_FORCE : 0));
    if (typeof c.zone === 'number') {
      w.zeros(4);
      w.u16(c.zone);
    } else {
      nxmHeader.encode(w, c.zone.field);
      writeRange(w, c.zone);
    }
    w.u8(c.table ?? NO_TABLE);
    w.zeros(3);
    w.u16(c.alg);
    list.encode(w, c.actions);
  },
});

type Addresses = Pick<NatAction, 'family' | 'minAddress' | 'maxAddress'>;

function readAddresses(r: Reader, present: number): Addresses {
  const none = { family: null, minAddress: null, maxAddress: null };
  const v4 = (present & RANGE_IPV4_MIN) !== 0;
  const v6 = (present & RANGE_IPV6_MIN) !== 0;
  const alone =
    (!v4 && (present & RANGE_IPV4_MAX) !== 0) || (!v6 && (present & RANGE_IPV6_MAX) !== 0);
  if (alone || (v4 && v6)) r.fail('OFPBAC_BAD_ARGUMENT');
  if (!v4 && !v6) return none;
  const bytes = v4 ? 4 : 16;
  const minAddress = r.uint(bytes);
  const hasMax = (present & (v4 ? RANGE_IPV4_MAX : RANGE_IPV6_MAX)) !== 0;
  const maxAddress = hasMax ? r.uint(bytes) : null;
  if (minAddress === 0n || (maxAddress !== null && maxAddress < minAddress)) {
    r.fail('OFPBAC_BAD_ARGUMENT');
  }
  return { family: v4 ? 'ipv4' : 'ipv6', minAddress, maxAddress };
}

function readNat(r: Reader): BodyOf<'nat'> {
  r.skip(2);
  const flags = r.u16();
  const present = r.u16();
  const both = NAT_SRC | NAT_DST;
  const modes = NAT_HASH | NAT_RANDOM;
  const bad = (flags & ~NAT_FLAGS) !== 0 || (flags & both) === both || (flags & modes) === modes;
  if (bad) r.fail('OFPBAC_BAD_ARGUMENT');
  const range = r.window(r.left, 'OFPBAC_BAD_ARGUMENT');
  const addresses = readAddresses(range, present);
  const hasMin = (present & RANGE_PORT_MIN) !== 0;
  const hasMax = (present & RANGE_PORT_MAX) !== 0;
  if ((hasMin && addresses.family === null) || (hasMax && !hasMin)) r.fail('OFPBAC_BAD_ARGUMENT');
  const minPort = hasMin ? range.u16() : null;
  const maxPort = hasMax ? range.u16() : null;
  if (minPort === 0 || (maxPort !== null && maxPort < (minPort ?? 0)))
    r.fail('OFPBAC_BAD_ARGUMENT');
  const direction = flags & NAT_SRC ? 'src' : flags & NAT_DST ? 'dst' : null;
  return {
    direction,
    persistent: (flags & NAT_PERSISTENT) !== 0,
    hash: (flags & NAT_HASH) !== 0,
    random: (flags & NAT_RANDOM) !== 0,
    ...addresses,
    minPort,
    maxPort,
  };
}

const nat: Codec<BodyOf<'nat'>> = {
  decode: readNat,
  encode(w, n) {
    const direction = n.direction === 'src' ? NAT_SRC : n.direction === 'dst' ? NAT_DST : 0;
    const v4 = n.family === 'ipv4';
    w.zeros(2);
    w.u16(
      direction |
        (n.persistent ? NAT_PERSISTENT : 0) |
        (n.hash ? NAT_HASH : 0) |
        (n.random ? NAT_RANDOM : 0),
    );
    w.u16(
      (n.minAddress === null ? 0 : v4 ? RANGE_IPV4_MIN : RANGE_IPV6_MIN) |
        (n.maxAddress === null ? 0 : v4 ? RANGE_IPV4_MAX : RANGE_IPV6_MAX) |
        (n.minPort === null ? 0 : RANGE_PORT_MIN) |
        (n.maxPort === null ? 0 : RANGE_PORT_MAX),
    );
    if (n.minAddress !== null) w.uint(n.minAddress, v4 ? 4 : 16);
    if (n.maxAddress !== null) w.uint(n.maxAddress, v4 ? 4 : 16);
    if (n.minPort !== null) w.u16(n.minPort);
    if (n.maxPort !== null) w.u16(n.maxPort);
  },
};

const readSubfield = (r: Reader, bits: number): Subfield => {
  const field = nxmHeader.decode(r);
  return { field, offset: r.u16(), bits };
};

function writeSubfield(w: Writer, s: Subfield): void {
  nxmHeader.encode(w, s.field);
  w.u16(s.offset);
}

/** Bytes of an immediate value: whole 16-bit units, the value at their end. */
const immediateBytes = (bits: number): number => 2 * Math.ceil(bits / 16);

function readSource(r: Reader, immediate: boolean, bits: number): LearnSource {
  if (!immediate) return { kind: 'field', src: checkSource(r, readSubfield(r, bits)) };
  const value = r.uint(immediateBytes(bits)) & ((1n << BigInt(bits)) - 1n);
  return { kind: 'value', value };
}

/** Specs up to a zero header or the end; then only zeros. */
function readSpecs(r: Reader): LearnSpec[] {
  const specs: LearnSpec[] = [];
  while (r.left >= 2) {
    const header = r.u16();
    if (header === 0) break;
    const bits = header & SPEC_BITS & 0x3ff;
    const immediate = (header & SPEC_IMMEDIATE) !== 0;
    const to = header & SPEC_TO;
    if (to === SPEC_TO || (to === SPEC_OUTPUT && immediate)) r.fail('OFPBAC_BAD_ARGUMENT');
    const src = readSource(r, immediate, bits);
    if (to === SPEC_OUTPUT) {
      specs.push({ kind: 'output', bits, src });
      continue;
    }
    const dst = readSubfield(r, bits);
    const load = to === SPEC_LOAD;
    specs.push({
      kind: load ? 'load' : 'match',
      bits,
      src,
      dst: load ? checkDestination(r, dst) : checkSource(r, dst),
    });
  }
  r.zeros(r.left, 'OFPBAC_BAD_ARGUMENT');
  return specs;
}

function writeSpecs(w: Writer, specs: readonly LearnSpec[]): void {
  for (const spec of specs) {
    const to = spec.kind === 'output' ? SPEC_OUTPUT : spec.kind === 'load' ? SPEC_LOAD : 0;
    const immediate = spec.src.kind === 'value' ? SPEC_IMMEDIATE : 0;
    w.u16(spec.bits | to | immediate);
    if (spec.src.kind === 'value') w.uint(spec.src.value, immediateBytes(spec.bits));
    else writeSubfield(w, spec.src.src);
    if (spec.kind !== 'output') writeSubfield(w, spec.dst);
  }
}

/** NXAST_LEARN, and NXAST_LEARN2 with a limit and where to say whether it let the flow be made. */
const learn = (second: boolean): Codec<BodyOf<'learn'>> => ({
  decode(r) {
    const idleTimeoutSeconds = r.u16();
    const hardTimeoutSeconds = r.u16();
    const priority = r.u16();
    const cookie = r.u64();
    const flags = r.u16();
    const table = r.u8();
    const padding = r.u8();
    const finIdleTimeoutSeconds = r.u16();
    const finHardTimeoutSeconds = r.u16();
    const known =
      LEARN_SEND_FLOW_REMOVED | LEARN_DELETE_LEARNED | (second ? LEARN_WRITE_RESULT : 0);
    if (padding !== 0 || table === NO_TABLE || (flags & ~known) !== 0)
      r.fail('OFPBAC_BAD_ARGUMENT');
    const limit = second ? r.u32() : 0;
    const resultOffset = second ? r.u16() : 0;
    if (second) r.zeros(2, 'NXBAC_MUST_BE_ZERO');
    let resultDst: Subfield | null = null;
    if (flags & LEARN_WRITE_RESULT) {
      const field = oxmHeader.decode(r);
      resultDst = checkDestination(r, { field, offset: resultOffset, bits: 1 });
    } else if (resultOffset !== 0) {
      r.fail('OFPBAC_BAD_ARGUMENT');
    }
    return {
      idleTimeoutSeconds,
      hardTimeoutSeconds,
      finIdleTimeoutSeconds,
      finHardTimeoutSeconds,
      priority,
      cookie,
      table,
      sendFlowRemoved: (flags & LEARN_SEND_FLOW_REMOVED) !== 0,
      deleteLearned: (flags & LEARN_DELETE_LEARNED) !== 0,
      limit,
      resultDst,
      specs: readSpecs(r),
    };
  },
  encode(w, l) {
    w.u16(l.idleTimeoutSeconds);
    w.u16(l.hardTimeoutSeconds);
    w.u16(l.priority);
    w.u64(l.cookie);
    w.u16(
      (l.sendFlowRemoved ? LEARN_SEND_FLOW_REMOVED : 0) |
        (l.deleteLearned ? LEARN_DELETE_LEARNED : 0) |
        (l.resultDst === null ? 0 : LEARN_WRITE_RESULT),
    );
    w.u8(l.table);
    w.u8(0);
    w.u16(l.finIdleTimeoutSeconds);
    w.u16(l.finHardTimeoutSeconds);
    if (second) {
      w.u32(l.limit);
      w.u16(l.resultDst?.offset ?? 0);
      w.zeros(2);
      if (l.resultDst !== null) oxmHeader.encode(w, l.resultDst.field);
    }
    writeSpecs(w, l.specs);
  },
});

/** The forms, over the codec of action lists. */
export const nestedForms = (list: ActionListCodec): readonly ActionForm[] => [
  nicira('learn', ALL, 16, 32, learn(false), {
    ...LONGER,
    accepts: (l) => l.limit === 0 && l.resultDst === null,
  }),
  nicira('learn', ALL, 45, 40, learn(true), LONGER),
  nicira('ct', ALL, 35, 24, ct(list), LONGER),
  nicira('nat', ALL, 36, 16, nat, LONGER),
  nicira('clone', ALL, 42, 16, clone(list), LONGER),
];
