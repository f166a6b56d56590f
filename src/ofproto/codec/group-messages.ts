/**
 * Groups: modification, description, statistics and abilities (OpenFlow 1.3.5, 7.3.4.2; 1.5.1, 7.3.4.3). In 1.0 Nicira's messages have the
 * form of 1.5. What is wrong in itself is refused here, with Open vSwitch's errors; what depends on other groups is not.
 */
import type { OfPort } from '../../flowtable/of-port.ts';
import type { Bucket, GroupMod, GroupType, SelectionMethod } from '../model.ts';
import { readActions, writeActions } from './actions.ts';
import {
  counter,
  duration,
  entries,
  idOrAny,
  nothing,
  only,
  portOrAny32,
  readProperties,
  readSized,
  since,
  writeExperimenterProperty,
  writeProperty,
} from './message-parts.ts';
import type { Reader } from './reader.ts';
import { maskOfFields, readSelectionFields, writeSelectionFields } from './selection-fields.ts';
import { OF10, OF13 } from './versions.ts';
import { type Codec, mapped, pad, struct, times, u16, u32 } from './wire.ts';
import type { Writer } from './writer.ts';

const TYPES: readonly GroupType[] = ['all', 'select', 'indirect', 'fastFailover'];
const COMMANDS = {
  add: 0,
  modify: 1,
  delete: 2,
  insertBucket: 3,
  removeBucket: 5,
  addOrModify: 0x8000,
} as const;
type Command = keyof typeof COMMANDS;
const commandNames = new Map<number, Command>(
  (Object.keys(COMMANDS) as Command[]).map((name) => [COMMANDS[name], name]),
);

const BUCKET_MAX = 0xffff_ff00;
const BUCKET_FIRST = 0xffff_fffd;
const BUCKET_LAST = 0xffff_fffe;
const BUCKET_ALL = 0xffff_ffff;
const BAD_BUCKET = 'OFPGMFC_BAD_BUCKET';

const typeOf = (r: Reader, number: number): GroupType =>
  TYPES[number] ?? r.fail('OFPGMFC_BAD_TYPE');

const BUCKET_BYTES = 16;
const watchPort = portOrAny32('OFPGMFC_BAD_WATCH');

const readBucket11 =
  (bucketId: number) =>
  (r: Reader): Bucket => {
    r.skip(2);
    const weight = r.u16();
    const watchWindow = r.window(4);
    const watchGroup = idOrAny.decode(r);
    r.skip(4);
    const actions = readActions(r, r.left);
    return { bucketId, weight, watchPort: watchPort.decode(watchWindow), watchGroup, actions };
  };

function readBuckets11(r: Reader): Bucket[] {
  const buckets: Bucket[] = [];
  while (r.left > 0) {
    buckets.push(readSized(r, BUCKET_BYTES, readBucket11(buckets.length), { error: BAD_BUCKET }));
  }
  return buckets;
}

function writeBucket11(w: Writer, bucket: Bucket): void {
  const start = w.length;
  w.zeros(2);
  w.u16(bucket.weight);
  watchPort.encode(w, bucket.watchPort);
  idOrAny.encode(w, bucket.watchGroup);
  w.zeros(4);
  writeActions(w, bucket.actions);
  w.patchU16(start, w.length - start);
}

const WEIGHT = 0;
const WATCH_PORT = 1;
const WATCH_GROUP = 2;
const weightProperty = struct({ weight: u16, _pad: pad(2) });

const readBucket15 =
  (type: number) =>
  (r: Reader): Bucket => {
    r.skip(2);
    const actionsLength = r.u16();
    const bucketId = r.u32();
    if (actionsLength > r.left) r.fail(BAD_BUCKET);
    const actions = readActions(r, actionsLength);
    let weight = TYPES[type] === 'select' ? 1 : 0;
    let port: OfPort | null = null;
    let watchGroup: number | null = null;
    readProperties(r, (property, body) => {
      if (property.experimenter !== null) return false;
      if (property.type === WEIGHT) weight = only(body, weightProperty).weight;
      else if (property.type === WATCH_PORT) port = only(body, watchPort);
      else if (property.type === WATCH_GROUP) watchGroup = only(body, idOrAny);
      else return false;
      return true;
    });
    if (bucketId > BUCKET_MAX) r.fail(BAD_BUCKET);
    return { bucketId, weight, watchPort: port, watchGroup, actions };
  };

const BUCKET15_BYTES = 8;

function readBuckets15(r: Reader, type: number): Bucket[] {
  const buckets: Bucket[] = [];
  const seen = new Set<number>();
  while (r.left > 0) {
    const bucket = readSized(r, BUCKET15_BYTES, readBucket15(type), { error: BAD_BUCKET });
    if (seen.has(bucket.bucketId)) r.fail(BAD_BUCKET);
    seen.add(bucket.bucketId);
    buckets.push(bucket);
  }
  return buckets;
}

function writeBucket15(w: Writer, bucket: Bucket, type: GroupType): void {
  const start = w.length;
  w.zeros(4);
  w.u32(bucket.bucketId);
  const actionsAt = w.length;
  writeActions(w, bucket.actions);
  w.patchU16(start + 2, w.length - actionsAt);
  if (type === 'select' || bucket.weight !== 0) {
    writeProperty(w, WEIGHT, () => weightProperty.encode(w, bucket));
  }
  if (bucket.watchPort !== null) {
    writeProperty(w, WATCH_PORT, () => watchPort.encode(w, bucket.watchPort));
  }
  if (bucket.watchGroup !== null) {
    writeProperty(w, WATCH_GROUP, () => idOrAny.encode(w, bucket.watchGroup));
  }
  w.patchU16(start, w.length - start);
}

/** Netronome's property; in front of the fields stand 4 bytes of padding, the method's name and its parameter. */
const NETRONOME = 0x154d;
const SELECTION_METHOD = 1;
const METHOD_BYTES = 16;

function readSelectionMethod(r: Reader): SelectionMethod {
  r.skip(4);
  const name = r.copy(METHOD_BYTES);
  const end = name.indexOf(0);
  const method = end < 0 ? '' : new TextDecoder().decode(name.subarray(0, end));
  if (method !== 'hash' && method !== 'dp_hash') r.fail('OFPBPC_BAD_VALUE');
  const param = r.u64();
  if (r.left > 0 && method !== 'hash') r.fail('OFPBPC_BAD_VALUE');
  const named = readSelectionFields(r);
  return { method, param, fields: maskOfFields(named), named };
}

/** A number that early controllers sent instead, still understood by Open vSwitch. */
const NETRONOME_MISTYPED = 0x1540;

function readGroupProperties(r: Reader, type: number, command: Command): SelectionMethod | null {
  let selection: SelectionMethod | null = null;
  readProperties(r, (property, body) => {
    const isTheirs =
      property.experimenter === NETRONOME || property.experimenter === NETRONOME_MISTYPED;
    if (!isTheirs || property.type !== SELECTION_METHOD) return false;
    if (typeOf(r, type) !== 'select') r.fail('OFPBPC_BAD_VALUE');
    if (command === 'delete' || command === 'insertBucket' || command === 'removeBucket') {
      r.fail('OFPBPC_BAD_VALUE');
    }
    selection = readSelectionMethod(body);
    return true;
  });
  return selection;
}

function writeSelectionMethod(w: Writer, selection: SelectionMethod | null): void {
  if (selection === null || selection.method === '') return;
  writeExperimenterProperty(w, NETRONOME, SELECTION_METHOD, () => {
    w.zeros(4);
    w.text(selection.method, METHOD_BYTES);
    w.u64(selection.param);
    writeSelectionFields(w, selection.named);
  });
}

/** What no group can be, whatever else exists. */
function checked(r: Reader, mod: GroupMod): GroupMod {
  const { type, command, buckets } = mod;
  if (type === 'indirect' && command !== 'delete' && buckets.length !== 1) {
    r.fail('OFPGMFC_INVALID_GROUP');
  }
  if (command === 'removeBucket' && buckets.length > 0) r.fail(BAD_BUCKET);
  for (const bucket of buckets) {
    const watches = bucket.watchPort !== null || bucket.watchGroup !== null;
    if (bucket.weight !== 0 && type !== 'select' && command !== 'insertBucket') {
      r.fail('OFPGMFC_INVALID_GROUP');
    }
    if ((type === 'all' || type === 'indirect') && watches) r.fail('OFPGMFC_WATCH_UNSUPPORTED');
    if (type === 'fastFailover' && !watches) r.fail('OFPGMFC_INVALID_GROUP');
  }
  return mod;
}

const groupMod11: Codec<GroupMod> = {
  decode(r) {
    const commandNumber = r.u16();
    const typeNumber = r.u8();
    r.skip(1);
    const groupId = r.u32();
    const buckets = readBuckets11(r);
    const isDelete = commandNumber === COMMANDS.delete;
    // OpenFlow 1.3.5, 6.7: a delete has no buckets.
    if (isDelete && r.version >= OF13 && buckets.length > 0) r.fail('OFPGMFC_INVALID_GROUP');
    const type = typeOf(r, typeNumber);
    // Commands on buckets came with 1.5; Open vSwitch takes them before, and so do we.
    const command = commandNames.get(commandNumber) ?? r.fail('OFPGMFC_BAD_COMMAND');
    return checked(r, {
      command,
      type,
      groupId,
      buckets,
      commandBucketId: BUCKET_ALL,
      selection: null,
      version: r.version,
    });
  },
  encode(w, mod) {
    w.u16(COMMANDS[mod.command]);
    w.u8(TYPES.indexOf(mod.type));
    w.zeros(1);
    w.u32(mod.groupId);
    for (const bucket of mod.buckets) writeBucket11(w, bucket);
  },
};

function isCommandBucketValid(command: Command, id: number): boolean {
  const one = id <= BUCKET_MAX || id === BUCKET_FIRST || id === BUCKET_LAST;
  if (command === 'insertBucket') return one;
  return command === 'removeBucket' ? one || id === BUCKET_ALL : id === BUCKET_ALL;
}

const groupMod15: Codec<GroupMod> = {
  decode(r) {
    const command = commandNames.get(r.u16());
    const typeNumber = r.u8();
    r.skip(1);
    const groupId = r.u32();
    const bucketsLength = r.u16();
    r.skip(2);
    const commandBucketId = r.u32();
    if (!isCommandBucketValid(command ?? 'add', commandBucketId)) r.fail(BAD_BUCKET);
    const buckets = readBuckets15(r.window(bucketsLength, BAD_BUCKET), typeNumber);
    const selection = readGroupProperties(r, typeNumber, command ?? 'add');
    const type = typeOf(r, typeNumber);
    if (command === undefined) return r.fail('OFPGMFC_BAD_COMMAND');
    const { version } = r;
    return checked(r, {
      command,
      type,
      groupId,
      buckets,
      commandBucketId,
      selection,
      version,
    });
  },
  encode(w, mod) {
    w.u16(COMMANDS[mod.command]);
    w.u8(TYPES.indexOf(mod.type));
    w.zeros(1);
    w.u32(mod.groupId);
    const lengthAt = w.length;
    w.zeros(4);
    w.u32(mod.commandBucketId);
    const bucketsAt = w.length;
    for (const bucket of mod.buckets) writeBucket15(w, bucket, mod.type);
    w.patchU16(lengthAt, w.length - bucketsAt);
    writeSelectionMethod(w, mod.selection);
  },
};

export interface GroupDescription {
  readonly groupId: number;
  readonly type: GroupType;
  readonly buckets: readonly Bucket[];
  /** Told in 1.5 and in Nicira's form only. */
  readonly selection: SelectionMethod | null;
}

const groupDesc11: Codec<GroupDescription> = {
  decode: (r) =>
    readSized(r, 8, (inner) => {
      inner.skip(2);
      const type = typeOf(inner, inner.u8());
      inner.skip(1);
      const groupId = inner.u32();
      return { groupId, type, buckets: readBuckets11(inner), selection: null };
    }),
  encode(w, group) {
    const start = w.length;
    w.zeros(2);
    w.u8(TYPES.indexOf(group.type));
    w.zeros(1);
    w.u32(group.groupId);
    for (const bucket of group.buckets) writeBucket11(w, bucket);
    w.patchU16(start, w.length - start);
  },
};

const groupDesc15: Codec<GroupDescription> = {
  decode: (r) =>
    readSized(r, 16, (inner) => {
      inner.skip(2);
      const typeNumber = inner.u8();
      inner.skip(1);
      const groupId = inner.u32();
      const bucketsLength = inner.u16();
      inner.skip(6);
      const buckets = readBuckets15(inner.window(bucketsLength), typeNumber);
      const selection = readGroupProperties(inner, typeNumber, 'add');
      return { groupId, type: typeOf(inner, typeNumber), buckets, selection };
    }),
  encode(w, group) {
    const start = w.length;
    w.zeros(2);
    w.u8(TYPES.indexOf(group.type));
    w.zeros(1);
    w.u32(group.groupId);
    w.zeros(8);
    const bucketsAt = w.length;
    for (const bucket of group.buckets) writeBucket15(w, bucket, group.type);
    w.patchU16(start + 8, w.length - bucketsAt);
    writeSelectionMethod(w, group.selection);
    w.patchU16(start, w.length - start);
  },
};

export interface GroupStats {
  readonly groupId: number;
  readonly references: number;
  /** Null where unknown. */
  readonly packets: bigint | null;
  readonly bytes: bigint | null;
  /** Null for unknown; 1.3+. */
  readonly durationMs: number | null;
  readonly buckets: readonly { readonly packets: bigint | null; readonly bytes: bigint | null }[];
}

const bucketCounters = struct({ packets: counter, bytes: counter });

/** 1.1 and 1.2 have no durations, Nicira's form for 1.0 has. */
const hasDuration = (version: number): boolean => version === OF10 || version >= OF13;

const groupStats: Codec<GroupStats> = {
  decode: (r) =>
    readSized(r, hasDuration(r.version) ? 40 : 32, (inner) => {
      inner.skip(4);
      const groupId = inner.u32();
      const references = inner.u32();
      inner.skip(4);
      const counts = bucketCounters.decode(inner);
      const durationMs = hasDuration(inner.version) ? duration.decode(inner) : null;
      const buckets = [];
      while (inner.left > 0) buckets.push(bucketCounters.decode(inner));
      return { groupId, references, ...counts, durationMs, buckets };
    }),
  encode(w, stats) {
    const start = w.length;
    w.zeros(4);
    w.u32(stats.groupId);
    w.u32(stats.references);
    w.zeros(4);
    bucketCounters.encode(w, stats);
    if (hasDuration(w.version)) duration.encode(w, stats.durationMs);
    for (const bucket of stats.buckets) bucketCounters.encode(w, bucket);
    w.patchU16(start, w.length - start);
  },
};

const groupFeatures = struct({
  /** Bit n for group type n: all, select, indirect, fast failover. */
  types: u32,
  /** OFPGFC_*: weights 1, liveness 2, chaining 4, chaining checks 8. */
  capabilities: u32,
  /** Per type. */
  maxGroups: times(u32, 4),
  /** Bits of OFPAT_* per type. */
  actions: times(u32, 4),
});

/** One group, or null (OFPG_ALL, 0xfffffffc) for all. */
const OFPG_ALL = 0xffff_fffc;
const groupRequest = struct({
  groupId: mapped<number, number | null>(
    u32,
    (id) => (id === OFPG_ALL ? null : id),
    (id) => id ?? OFPG_ALL,
  ),
  _pad: pad(4),
});

const everyGroup: Codec<{ readonly groupId: number | null }> = mapped(
  nothing,
  () => ({ groupId: null }),
  () => ({}),
);

const wrap = (codec: Codec<GroupMod>): Codec<{ readonly groupMod: GroupMod }> => ({
  decode: (r) => ({ groupMod: codec.decode(r) }),
  encode: (w, value) => codec.encode(w, value.groupMod),
});

export const groupMessages = {
  groupMod: {
    'of 1.1+ 15': wrap(since({ 2: groupMod11, 6: groupMod15 })),
    'nx 1.0-1.0 31': wrap(groupMod15),
  },
  groupStatsRequest: { 'request 1.1+ 6': groupRequest, 'nx-request 1.0-1.0 7': groupRequest },
  groupStatsReply: {
    'reply 1.1+ 6': entries(groupStats),
    'nx-reply 1.0-1.0 7': entries(groupStats),
  },
  groupDescRequest: {
    'request 1.1-1.4 7': everyGroup,
    'request 1.5+ 7': groupRequest,
    'nx-request 1.0-1.0 8': groupRequest,
  },
  groupDescReply: {
    'reply 1.1-1.4 7': entries(groupDesc11),
    'reply 1.5+ 7': entries(groupDesc15),
    'nx-reply 1.0-1.0 8': entries(groupDesc15),
  },
  groupFeaturesRequest: { 'request 1.2+ 8': nothing, 'nx-request 1.0-1.1 9': nothing },
  groupFeaturesReply: { 'reply 1.2+ 8': groupFeatures, 'nx-reply 1.0-1.1 9': groupFeatures },
} as const;
