/**
 * The groups of a bridge and the commands on them (OpenFlow 1.3.5, 6.5; buckets inserted and removed as in 1.5).
 *
 * A group that is changed is replaced whole; counters of buckets that stay go on. A group that would reach itself
 * through its buckets is refused: nothing could be forwarded by it.
 */

import type { Bridge } from '../bridge.ts';
import type { Origin } from '../events.ts';
import { type Bucket, type GroupMod, OFPG_ALL, type OfError } from '../model.ts';
import { Change } from './change.ts';
import { checkActions } from './check-actions.ts';
import { ANY_FLOW, chosen, usesGroup } from './flow-mods.ts';
import { Group, type GroupBucket, hasLiveness } from './group.ts';

const OFPG_MAX = 0xffffff00;
const BUCKET_FIRST = 0xfffffffd;
const BUCKET_LAST = 0xfffffffe;
const BUCKET_ALL = 0xffffffff;

export class Groups {
  private readonly byId = new Map<number, Group>();

  find(id: number): Group | null {
    return this.byId.get(id) ?? null;
  }
  /** By id. */
  all(): Group[] {
    return [...this.byId.values()].sort((a, b) => a.id - b.id);
  }
  get size(): number {
    return this.byId.size;
  }

  /** Sets or deletes (null) a group; for Change only. */
  put(id: number, group: Group | null): void {
    if (group === null) this.byId.delete(id);
    else this.byId.set(id, group);
  }
}

/** Carries a group-mod out; null for success. */
export function applyGroupMod(
  bridge: Bridge,
  mod: GroupMod,
  origin: Origin = null,
): OfError | null {
  const change = new Change(bridge, origin);
  const error = beginGroupMod(change, mod);
  if (error !== null) change.revert();
  else change.commit();
  return error;
}

export function beginGroupMod(change: Change, mod: GroupMod): OfError | null {
  const { groups } = change.bridge;
  const { groupId } = mod;
  if (mod.command === 'delete') {
    if (groupId === OFPG_ALL) for (const group of groups.all()) remove(change, group);
    else {
      const group = groups.find(groupId);
      if (group !== null) remove(change, group);
    }
    return null;
  }
  const old = groups.find(groupId);
  const isNew = mod.command === 'add' || mod.command === 'addOrModify';
  if (isNew && groupId > OFPG_MAX) return { error: 'OFPGMFC_INVALID_GROUP' };
  switch (mod.command) {
    case 'add':
      if (old !== null) return { error: 'OFPGMFC_GROUP_EXISTS' };
      return put(change, mod, null, mod.buckets);
    case 'modify':
      if (old === null) return { error: 'OFPGMFC_UNKNOWN_GROUP' };
      return put(change, mod, old, mod.buckets);
    case 'addOrModify':
      return put(change, mod, old, mod.buckets);
    case 'insertBucket':
    case 'removeBucket': {
      if (old === null) return { error: 'OFPGMFC_UNKNOWN_GROUP' };
      const buckets =
        mod.command === 'insertBucket' ? inserted(old.buckets, mod) : removed(old.buckets, mod);
      if ('error' in buckets) return buckets;
      const same = { ...mod, type: old.type, selection: old.selection };
      return put(change, same, old, buckets);
    }
  }
}

function inserted(before: readonly GroupBucket[], mod: GroupMod): readonly Bucket[] | OfError {
  const ids = new Set(before.map((b) => b.bucketId));
  if (mod.buckets.some((b) => ids.has(b.bucketId))) return { error: 'OFPGMFC_BUCKET_EXISTS' };
  if (mod.commandBucketId === BUCKET_FIRST) return [...mod.buckets, ...before];
  if (mod.commandBucketId === BUCKET_LAST) return [...before, ...mod.buckets];
  const at = before.findIndex((b) => b.bucketId === mod.commandBucketId);
  if (at < 0) return { error: 'OFPGMFC_UNKNOWN_BUCKET' };
  return [...before.slice(0, at + 1), ...mod.buckets, ...before.slice(at + 1)];
}

function removed(before: readonly GroupBucket[], mod: GroupMod): readonly Bucket[] | OfError {
  if (mod.commandBucketId === BUCKET_ALL) return [];
  if (mod.commandBucketId === BUCKET_FIRST) return before.slice(1);
  if (mod.commandBucketId === BUCKET_LAST) return before.slice(0, -1);
  const left = before.filter((b) => b.bucketId !== mod.commandBucketId);
  return left.length < before.length ? left : { error: 'OFPGMFC_UNKNOWN_BUCKET' };
}

function put(
  change: Change,
  mod: GroupMod,
  old: Group | null,
  buckets: readonly Bucket[],
): OfError | null {
  const { bridge } = change;
  const { type, groupId, selection } = mod;
  if (type === 'indirect' && buckets.length !== 1) return { error: 'OFPGMFC_INVALID_GROUP' };
  const ids = new Set<number>();
  for (const bucket of buckets) {
    if (ids.has(bucket.bucketId)) return { error: 'OFPGMFC_BUCKET_EXISTS' };
    ids.add(bucket.bucketId);
    // Buckets that are inserted later are taken as they are, as in the original.
    const isWhole = mod.command !== 'insertBucket' && mod.command !== 'removeBucket';
    if (isWhole && type === 'fastFailover' && !hasLiveness(bucket)) {
      return { error: 'OFPGMFC_INVALID_GROUP' };
    }
    const plain = bucket.actions.filter((a) => a.kind !== 'group');
    const error = checkActions(bridge, plain, null, null, mod.version);
    if (error !== null) return error;
  }
  if (reaches(bridge, buckets, groupId)) return { error: 'OFPGMFC_LOOP' };
  const now = bridge.clock.now();
  const counted = buckets.map((bucket): GroupBucket => {
    const before = old?.buckets.find((b) => b.bucketId === bucket.bucketId);
    return { ...bucket, stats: before?.stats ?? { packets: 0, bytes: 0 } };
  });
  const createdMs = old?.createdMs ?? now;
  const note = (line: string): void => bridge.log.dbg(line);
  const group = new Group(groupId, type, counted, selection, createdMs, old?.stats, note);
  bridge.groups.put(groupId, group);
  change.onRevert(() => bridge.groups.put(groupId, old));
  return null;
}

/** True when the buckets lead to the group through others. */
function reaches(bridge: Bridge, buckets: readonly Bucket[], target: number): boolean {
  const seen = new Set<number>();
  const visit = (list: readonly Bucket[]): boolean => {
    for (const bucket of list) {
      for (const action of bucket.actions) {
        if (action.kind !== 'group') continue;
        if (action.groupId === target) return true;
        if (seen.has(action.groupId)) continue;
        seen.add(action.groupId);
        if (visit(bridge.groups.find(action.groupId)?.buckets ?? [])) return true;
      }
    }
    return false;
  };
  return visit(buckets);
}

/** Deletes a group and the flows that use it. */
function remove(change: Change, group: Group): void {
  const { bridge } = change;
  for (const rule of chosen(bridge, ANY_FLOW, false, false)) {
    if (usesGroup(rule.actions, group.id)) change.remove(rule, 'groupDelete');
  }
  bridge.groups.put(group.id, null);
  change.onRevert(() => bridge.groups.put(group.id, group));
}

/** How many flows use the group. */
export function groupReferences(bridge: Bridge, groupId: number): number {
  let count = 0;
  for (const rule of chosen(bridge, ANY_FLOW, false, false)) {
    if (usesGroup(rule.actions, groupId)) count++;
  }
  return count;
}
