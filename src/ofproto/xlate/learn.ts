/**
 * The learn action: builds the flow-mod that the effect carries out. Everything that the new flow takes from the
 * packet is consulted; a limit that is asked about is answered from the table as it is now.
 */
import type { Action, LearnAction, LearnSource } from '../../flowtable/action.ts';
import { MatchBuilder } from '../../flowtable/match.ts';
import { ofPort } from '../../flowtable/of-port.ts';
import { OF_IN_PORT, VLAN_CFI, VLAN0 } from '../../packet/key.ts';
import { type FlowMod, NO_FLAGS, OfVersion } from '../model.ts';
import type { XlateContext } from './context.ts';
import { fieldWrite, noteSubfield, onesOf, readSubfield, writeSubfield } from './subfields.ts';

export function learn(ctx: XlateContext, action: LearnAction): void {
  const mod = learnedMod(ctx, action);
  const { bridge } = ctx;
  if (ctx.trace !== null && !ctx.trace.hasFrame) {
    // Nothing was received that could be learned from.
    ctx.trace.add('warn', 'suppressing side effects, so learn action ignored');
    return;
  }
  ctx.trace?.addLearned(mod);
  if (action.limit > 0 && action.resultDst !== null) {
    const ok = bridge.mayLearn(mod, action.limit);
    writeSubfield(ctx, action.resultDst, ok ? 1n : 0n);
  } else if (action.resultDst !== null) writeSubfield(ctx, action.resultDst, 1n);
  if (action.resultDst !== null) noteSubfield(ctx, action.resultDst);
  ctx.effects.push({ kind: 'learnFlow', bridge, mod, limit: action.limit });
}

function sourceValue(ctx: XlateContext, source: LearnSource): bigint {
  return source.kind === 'value' ? source.value : readSubfield(ctx, source.src);
}

function learnedMod(ctx: XlateContext, action: LearnAction): FlowMod {
  const match = new MatchBuilder();
  const actions: Action[] = [];
  if (action.finIdleTimeoutSeconds > 0 || action.finHardTimeoutSeconds > 0) {
    actions.push({
      kind: 'finTimeout',
      idleSeconds: action.finIdleTimeoutSeconds,
      hardSeconds: action.finHardTimeoutSeconds,
    });
  }
  for (const spec of action.specs) {
    const value = sourceValue(ctx, spec.src) & onesOf(spec.bits);
    if (spec.kind === 'output') {
      actions.push({ kind: 'output', port: ofPort(Number(value & 0xffffn)), maxBytes: 0xffff });
      continue;
    }
    const { dst } = spec;
    if (dst.field.at < 0) continue;
    if (spec.kind === 'load') {
      actions.push({ kind: 'load', dst: { ...dst, bits: spec.bits }, value });
      continue;
    }
    const shift = BigInt(dst.offset);
    const write = fieldWrite(dst.field, value << shift, onesOf(spec.bits) << shift);
    for (let i = 0; i < write.words.length; i++) {
      const word = write.words[i];
      const wholePort = word === OF_IN_PORT && (write.masks[i] & 0xffff) === 0xffff;
      // Ports are matched whole, also by their 16-bit name; a VID is matched with its presence.
      const mask = wholePort
        ? 0xffffffff
        : word === VLAN0 && dst.field.name === 'vlan_vid'
          ? write.masks[i] | VLAN_CFI
          : write.masks[i];
      const bits = word === VLAN0 && dst.field.name === 'vlan_vid' ? VLAN_CFI : 0;
      match.set(word, (write.values[i] | bits) >>> 0, mask >>> 0);
    }
  }
  return {
    command: 'modifyStrict',
    tableId: action.table,
    priority: action.priority,
    match: match.build(),
    actions,
    newCookie: action.cookie,
    cookie: 0n,
    cookieMask: 0n,
    idleTimeoutSeconds: action.idleTimeoutSeconds,
    hardTimeoutSeconds: action.hardTimeoutSeconds,
    importance: 0,
    bufferId: 0xffffffff,
    outPort: null,
    outGroup: null,
    flags: { ...NO_FLAGS, sendFlowRemoved: action.sendFlowRemoved },
    version: OfVersion.OF10,
  };
}
