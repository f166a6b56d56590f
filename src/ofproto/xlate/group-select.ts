/**
 * Groups in translation: which buckets run, and on what. Each bucket runs on the frame as it came to the group; what
 * follows the group sees it so, too.
 */

import { formatOfPort, OFPP_LOCAL } from '../../flowtable/of-port.ts';
import { FIELDS, readField } from '../../packet/fields.ts';
import { DP_HASH, FLOW_WORDS } from '../../packet/key.ts';
import type { Bridge } from '../bridge.ts';
import type { Group, GroupBucket } from '../tables/group.ts';
import { hasLiveness } from '../tables/group.ts';
import { actionSetList } from './action-set.ts';
import { runUndoably } from './clone.ts';
import { MAX_DEPTH, type XlateContext } from './context.ts';
import { consultHash, flowHash, hashBytes, hashTwoWords, hashUint64 } from './flow-hash.ts';
import { finishFreezing, triggerFreeze } from './freeze.ts';
import { isLive } from './output-port.ts';
import { consult, hasField } from './subfields.ts';

/** Groups that watch groups that watch groups. */
const MAX_LIVENESS_DEPTH = 128;

function isBucketLive(bridge: Bridge, bucket: GroupBucket, depth = 0): boolean {
  if (depth >= MAX_LIVENESS_DEPTH) return false;
  if (!hasLiveness(bucket)) return true;
  if (bucket.watchPort !== null) {
    const port = bridge.port(bucket.watchPort);
    if (port !== null && (isLive(port) || port.ofPort === OFPP_LOCAL)) return true;
  }
  if (bucket.watchGroup !== null) {
    const group = bridge.groups.find(bucket.watchGroup);
    if (group?.buckets.some((b) => isBucketLive(bridge, b, depth + 1))) return true;
  }
  return false;
}

export function runGroup(ctx: XlateContext, groupId: number): void {
  const group = ctx.bridge.groups.find(groupId);
  if (group === null) {
    ctx.drop('drop_action_of_pipeline', `output to nonexistent group ${groupId}`);
    return;
  }
  if (ctx.depth >= MAX_DEPTH) {
    ctx.fail('drop_action_recursion_too_deep', `over max translation depth ${MAX_DEPTH}`);
    return;
  }
  const wasInGroup = ctx.isInGroup;
  ctx.isInGroup = true;
  switch (group.type) {
    case 'all':
    case 'indirect':
      for (const bucket of group.buckets) {
        const { isLast } = ctx;
        ctx.isLast = isLast && bucket === group.buckets.at(-1);
        runBucket(ctx, group, bucket);
        ctx.isLast = isLast;
      }
      ctx.effects.push({ kind: 'creditGroup', group, bucket: null });
      break;
    case 'fastFailover': {
      const bucket = group.buckets.find((b) => isBucketLive(ctx.bridge, b) || noteNotLive(ctx, b));
      if (bucket) runChosen(ctx, group, bucket);
      else noLiveBucket(ctx);
      ctx.effects.push({ kind: 'creditGroup', group, bucket: null });
      break;
    }
    case 'select': {
      const bucket = select(ctx, group);
      // Frozen for the hash: the group is met again with it.
      if (ctx.freezing) break;
      if (bucket) runChosen(ctx, group, bucket);
      else noLiveBucket(ctx);
      ctx.effects.push({ kind: 'creditGroup', group, bucket: null });
      break;
    }
  }
  ctx.isInGroup = wasInGroup;
}

function runChosen(ctx: XlateContext, group: Group, bucket: GroupBucket): void {
  ctx.trace?.add('detail', `using bucket ${bucket.bucketId}`);
  runBucket(ctx, group, bucket);
}

function noLiveBucket(ctx: XlateContext): void {
  ctx.trace?.add('detail', 'no live bucket');
  ctx.drop('drop_action_of_pipeline');
}

/** Always false, so that a search can go on. */
function noteNotLive(ctx: XlateContext, { bucketId, watchPort, watchGroup }: GroupBucket): false {
  if (ctx.trace === null) return false;
  const watched: string[] = [];
  if (watchPort !== null) watched.push(`port ${formatOfPort(watchPort)}`);
  if (watchGroup !== null) watched.push(`port ${watchGroup}`);
  ctx.trace.add('detail', `bucket ${bucketId}: not live due to ${watched.join(' and ')}`);
  return false;
}

function runBucket(ctx: XlateContext, group: Group, bucket: GroupBucket): void {
  const node = ctx.trace?.add('bucket', `bucket ${bucket.bucketId}`);
  const level = node ? ctx.trace?.enter(node) : undefined;
  const saved = ctx.save();
  const { error } = ctx;
  ctx.depth++;
  runUndoably(ctx, actionSetList(bucket.actions));
  ctx.depth--;
  if (ctx.freezing) finishFreezing(ctx);
  ctx.restore(saved);
  ctx.exit = false;
  // What goes wrong in a bucket is its own affair, but limits are the whole translation's.
  if (
    ctx.error !== 'drop_action_too_many_resubmit' &&
    ctx.error !== 'drop_action_recursion_too_deep'
  ) {
    ctx.error = error;
  }
  ctx.effects.push({ kind: 'creditGroup', group, bucket });
  if (level) ctx.trace?.leave(level);
}

function select(ctx: XlateContext, group: Group): GroupBucket | null {
  const { flow } = ctx;
  // Any header may count: all must be known.
  if (ctx.reparse !== 'none') {
    triggerFreeze(ctx);
    return null;
  }
  if (group.dpHash !== null) {
    const { mask, buckets, kind, basis } = group.dpHash;
    // Every computed hash is other than 0.
    if (flow[DP_HASH] === 0) {
      triggerFreeze(ctx);
      ctx.freezeHash = { kind, basis };
      return null;
    }
    ctx.mask[DP_HASH] |= mask;
    for (let i = 0; i <= mask; i++) {
      const bucket = buckets[(flow[DP_HASH] + i) & mask];
      if (isBucketLive(ctx.bridge, bucket)) return bucket;
    }
    return null;
  }
  const fields = group.selection?.method === 'hash' ? group.selection.fields : null;
  if (fields === null || fields.words.length === 0) {
    consultHash(ctx, 'symmetric_l4');
    return bestLive(ctx, group, flowHash(flow, 'symmetric_l4', 0));
  }
  const masks = new Uint32Array(FLOW_WORDS);
  for (let i = 0; i < fields.words.length; i++) masks[fields.words[i]] = fields.masks[i];
  let basis = hashUint64(group.selection?.param ?? 0n);
  for (const field of FIELDS) {
    if (field.at < 0) continue;
    const mask = readField(masks, field);
    if (mask === 0n || isPartOfOther(field.name) || !hasField(ctx, field)) continue;
    const value = readField(flow, field) & mask;
    const bytes = new Uint8Array(field.bytes);
    for (let b = field.bytes - 1, v = value; b >= 0; b--, v >>= 8n) bytes[b] = Number(v & 0xffn);
    basis = hashBytes(bytes, basis);
    for (let w = field.at >>> 5; w <= (field.at + field.bits - 1) >>> 5; w++) {
      if (masks[w] !== 0) consult(ctx, w, masks[w]);
    }
  }
  return bestLive(ctx, group, basis);
}

/** Fields that are seen through another one already: tags and wide registers. */
const isPartOfOther = (name: string): boolean =>
  name === 'vlan_tci' ||
  name === 'dl_vlan' ||
  name === 'dl_vlan_pcp' ||
  name.startsWith('xreg') ||
  name.startsWith('xxreg');

function bestLive(ctx: XlateContext, group: Group, basis: number): GroupBucket | null {
  let best: GroupBucket | null = null;
  let bestScore = 0;
  for (const bucket of group.buckets) {
    if (!isBucketLive(ctx.bridge, bucket)) {
      noteNotLive(ctx, bucket);
      continue;
    }
    const score = Math.imul(hashTwoWords(bucket.bucketId, basis) & 0xffff, bucket.weight) >>> 0;
    ctx.trace?.add('detail', `bucket ${bucket.bucketId}: score ${score}`);
    if (score < bestScore) continue;
    best = bucket;
    bestScore = score;
  }
  return best;
}
