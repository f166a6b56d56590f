/**
 * A group: buckets of actions and how one or more of them are chosen (OpenFlow 1.3.5, 5.6). Counters belong to
 * the group and to its buckets by their ids.
 *
 * A select group chooses by a hash. With `dp_hash` the datapath computes it, and each of 16 to 256 hash values
 * stands for a bucket, shared out by weight with Webster's method of seats, so that a megaflow needs only the
 * few bits of the hash that choose.
 */
import { HashKind } from '../../datapath/program.ts';
import type { Bucket, GroupType, SelectionMethod } from '../model.ts';

export interface GroupBucket extends Bucket {
  readonly stats: { packets: number; bytes: number };
}

export interface DpHash {
  /** HashKind of the datapath's HASH operation. */
  readonly kind: number;
  readonly basis: number;
  /** Number of hash values less one: the bits that choose. */
  readonly mask: number;
  /** The bucket of each hash value. */
  readonly buckets: readonly GroupBucket[];
}

const MIN_HASHES = 16;
const MAX_HASHES = 256;
/** For weights that the least number cannot share out exactly. */
const FINE_HASHES = 64;
/** Most hash values while nobody asked for dp_hash by name. */
const MAX_DEFAULT_HASHES = 64;
/** Of a group without a method of its own: algorithm above, basis below. */
const SYMMETRIC = BigInt(HashKind.SYM_L4) << 32n;

export class Group {
  readonly id: number;
  readonly type: GroupType;
  readonly buckets: readonly GroupBucket[];
  readonly selection: SelectionMethod | null;
  readonly createdMs: number;
  readonly stats: { packets: number; bytes: number };
  /** Null when the group chooses by another method. */
  readonly dpHash: DpHash | null;

  constructor(
    id: number,
    type: GroupType,
    buckets: readonly GroupBucket[],
    selection: SelectionMethod | null,
    createdMs: number,
    stats = { packets: 0, bytes: 0 },
    note: (line: string) => void = () => {},
  ) {
    this.id = id;
    this.type = type;
    this.buckets = buckets;
    this.selection = selection;
    this.createdMs = createdMs;
    this.stats = stats;
    if (type === 'select') note(`Constructing select group ${id}`);
    this.dpHash = type === 'select' ? dpHashOf(buckets, selection, note) : null;
  }
}

export const hasLiveness = (bucket: Bucket): boolean =>
  bucket.watchPort !== null || bucket.watchGroup !== null;

/** `note` takes lines for the debug log, as Open vSwitch has them. */
function dpHashOf(
  buckets: readonly GroupBucket[],
  selection: SelectionMethod | null,
  note: (line: string) => void,
): DpHash | null {
  const method = selection?.method ?? '';
  note(
    method === ''
      ? 'No selection method specified. Trying dp_hash.'
      : `Selection method specified: ${method}.`,
  );
  if (method === 'hash') {
    if ((selection?.fields?.words.length ?? 0) === 0) {
      note('No hash fields. Falling back to default hash method.');
    }
    return null;
  }
  const shared = shareOut(buckets, method === '' ? MAX_DEFAULT_HASHES : MAX_HASHES, note);
  if (shared === null) {
    note('Falling back to default hash method.');
    return null;
  }
  const param = method === '' ? SYMMETRIC : (selection?.param ?? 0n);
  const isSymmetric = ((param >> 32n) & 0xffffffffn) === BigInt(HashKind.SYM_L4);
  const kind = isSymmetric ? HashKind.SYM_L4 : HashKind.L4;
  note(`Use dp_hash with ${shared.length} hash values using algorithm ${kind}.`);
  const basis = Number(param & 0xffffffffn);
  return { kind, basis, mask: shared.length - 1, buckets: shared };
}

/** Hash values for buckets by weight; null when that would need more than `most`. */
function shareOut(
  buckets: readonly GroupBucket[],
  most: number,
  note: (line: string) => void,
): GroupBucket[] | null {
  if (buckets.length === 0) {
    note("  Don't apply dp_hash method without buckets.");
    return null;
  }
  let total = 0;
  let least = Number.POSITIVE_INFINITY;
  for (const { weight } of buckets) {
    total += weight;
    if (weight > 0 && weight < least) least = weight;
  }
  if (total === 0) {
    note('  Total weight is zero. No active buckets.');
    return null;
  }
  note(`  Minimum weight: ${least}, total weight: ${total}`);
  let hashes = MIN_HASHES;
  while (hashes < Math.ceil(total / least)) hashes *= 2;
  // Of 16 values 1:2 gets 5:11, a bucket 6 % less than its due; of 64 it gets 21:43. Where the weights ask for more than
  // 16 already, it is as many as Open vSwitch takes.
  const fitsExactly = buckets.every(({ weight }) => (weight * hashes) % total === 0);
  if (hashes === MIN_HASHES && !fitsExactly) hashes = FINE_HASHES;
  if (hashes > most) {
    note(`  Too many hash values required: ${hashes}`);
    return null;
  }
  note(`  Using ${hashes} hash values:`);
  const seats = buckets.map((bucket) => ({ bucket, divisor: 1, value: bucket.weight, hits: 0 }));
  const shared: GroupBucket[] = [];
  for (let h = 0; h < hashes; h++) {
    let winner = seats[0];
    for (const seat of seats) if (seat.value > winner.value) winner = seat;
    winner.divisor += 2;
    winner.value = winner.bucket.weight / winner.divisor;
    winner.hits++;
    shared.push(winner.bucket);
  }
  for (const { bucket, hits } of seats) {
    const target = ((bucket.weight * hashes) / total).toFixed(2);
    note(`  Bucket ${bucket.bucketId}: weight=${bucket.weight}, target=${target} hits=${hits}`);
  }
  return shared;
}
