/** Actions on fields in general: set field, load, move, the stack, multipath, check_pkt_larger. */
import type { Action, ActionOf, Subfield } from '../../flowtable/action.ts';

import { type Field, fullMask } from '../../packet/fields.ts';

import { ETH_TYPE_PROTO } from '../../packet/key.ts';
import { executeActionSet } from './action-set.ts';
import { stackedBytes, type XlateContext } from './context.ts';
import { consultHash, flowHash, hashTwoWords } from './flow-hash.ts';
import { finishFreezing } from './freeze.ts';
import {
  applyWrite,
  copySubfield,
  type FieldWrite,
  fieldWrite,
  hasField,
  noteSubfield,
  readSubfield,
  writeSubfield,
} from './subfields.ts';

/** Fields of IP headers: setting one consults the protocol as well, as the original does. */
const IP_FIELDS: ReadonlySet<string> = new Set([
  'ip_src',
  'ip_dst',
  'ipv6_src',
  'ipv6_dst',
  'ipv6_label',
  'nw_tos',
  'ip_dscp',
  'nw_ecn',
  'nw_ttl',
]);

function consultIp(ctx: XlateContext, field: Field): void {
  const bits = IP_FIELDS.has(field.name) || field.prerequisite === 'arp' ? 0xff00 : 0;
  ctx.mask[ETH_TYPE_PROTO] |= bits;
}

/** Compiled writes of constant actions: the same action is translated again and again. */
const writes = new WeakMap<Action, FieldWrite>();

export function setField(ctx: XlateContext, action: ActionOf<'setField'>): void {
  const { field } = action;
  if (!hasField(ctx, field)) {
    ctx.trace?.add('warn', `unmet prerequisites for ${field.name}, set_field ignored`);
    return;
  }
  let write = writes.get(action);
  if (write === undefined) {
    write = fieldWrite(field, action.value, action.mask);
    writes.set(action, write);
  }
  consultIp(ctx, field);
  applyWrite(ctx, field, write);
}

export function load(ctx: XlateContext, action: ActionOf<'load'>): void {
  const { field } = action.dst;
  if (!hasField(ctx, field)) {
    ctx.trace?.add('warn', `unmet prerequisites for ${field.name}, set_field ignored`);
    return;
  }
  let write = writes.get(action);
  if (write === undefined) {
    const shift = BigInt(action.dst.offset);
    write = fieldWrite(
      field,
      action.value << shift,
      ((1n << BigInt(action.dst.bits)) - 1n) << shift,
    );
    writes.set(action, write);
  }
  consultIp(ctx, field);
  applyWrite(ctx, field, write);
}

export function move(ctx: XlateContext, action: ActionOf<'move'>): void {
  const { src, dst } = action;
  if (!hasField(ctx, src.field) || !hasField(ctx, dst.field)) {
    ctx.trace?.add('detail', 'unmet prerequisites, move ignored');
    return;
  }
  copySubfield(ctx, src, dst);
  noteSubfield(ctx, dst);
}

export function push(ctx: XlateContext, src: Subfield): void {
  ctx.stack = { value: readSubfield(ctx, src), bits: src.bits, below: ctx.stack };
  ctx.stackBytes += stackedBytes(src.bits);
}

export function pop(ctx: XlateContext, dst: Subfield): void {
  const entry = ctx.stack;
  if (entry === null) {
    ctx.report('stack underflow');
    return;
  }
  ctx.stack = entry.below;
  ctx.stackBytes -= stackedBytes(entry.bits);
  writeSubfield(ctx, dst, entry.value);
  noteSubfield(ctx, dst);
}

/** delete_field: an option of a tunnel is absent from now on. */
export function deleteField(ctx: XlateContext, field: Field): void {
  const { words, masks } = fieldWrite(field, 0n, fullMask(field));
  for (let i = 0; field.at >= 0 && i < words.length; i++) {
    // Whatever it was: what tunnels send is compared with what the frame came with (TlvTable.consultPresent).
    ctx.written[words[i]] |= masks[i];
    ctx.flow[words[i]] &= ~masks[i];
  }
  ctx.trace?.add('detail', `delete ${field.name}`);
}

const MAX_HRW_LINKS = 64;

export function multipath(ctx: XlateContext, action: ActionOf<'multipath'>): void {
  const hash = flowHash(ctx.flow, action.fields, action.basis);
  consultHash(ctx, action.fields);
  writeSubfield(ctx, action.dst, BigInt(link(action, hash)));
  noteSubfield(ctx, action.dst);
}

/** The link of a hash: ovs-actions(7), "multipath". */
function link(action: ActionOf<'multipath'>, hash: number): number {
  const { links } = action;
  switch (action.algorithm) {
    case 'modulo_n':
      return hash % links;
    case 'hash_threshold':
      return links === 1 ? 0 : Math.floor(hash / (Math.floor(0xffffffff / links) + 1));
    case 'hrw': {
      if (links > MAX_HRW_LINKS) break;
      let best = 0;
      let bestHash = hashTwoWords(hash, 0);
      for (let l = 1; l < links; l++) {
        const h = hashTwoWords(hash, l);
        if (h > bestHash) {
          best = l;
          bestHash = h;
        }
      }
      return best;
    }
    case 'iter_hash':
      break;
  }
  let modulus = action.arg;
  if (modulus < links || Math.floor(modulus / 2) > links) {
    modulus = 1;
    while (modulus < links) modulus *= 2;
  }
  for (let i = 0; ; i++) {
    const l = hashTwoWords(hash, i) % modulus;
    if (l < links) return l;
  }
}

/**
 * check_pkt_larger: the length of a frame is not part of the flow, so the rest of the list (and of the lists around it
 * that end here) is translated for both answers, and the datapath asks.
 */
export function checkPktLarger(
  ctx: XlateContext,
  action: ActionOf<'checkPktLarger'>,
  rest: readonly Action[],
  isGroupBucket: boolean,
): void {
  ctx.commit();
  const place = ctx.program.beginCheckPktLen(action.bytes);
  const { stack, stackBytes, actionSet, actionSetHasGroup, exit } = ctx;
  const saved = ctx.save();
  const base = ctx.base.slice();
  const wire = ctx.vlans.saveWire();
  const branch = (value: bigint): void => {
    writeSubfield(ctx, action.dst, value);
    ctx.steps.actions(ctx, rest, isGroupBucket);
    if (!ctx.freezing) executeActionSet(ctx);
    if (ctx.freezing) finishFreezing(ctx);
    ctx.restore(saved);
    ctx.base.set(base);
    ctx.vlans.restoreWire(wire);
    Object.assign(ctx, { stack, stackBytes, actionSet, actionSetHasGroup, exit });
  };
  branch(1n);
  ctx.program.otherwise(place);
  branch(0n);
  ctx.program.end(place);
  // Both branches have done the action set.
  ctx.actionSet = [];
}
