/**
 * Flow-mods: adding, changing and deleting flows (OpenFlow 1.3.5, 6.4; ovs-ofctl(8)).
 *
 * Adding a flow of the same match and priority replaces it and goes on with its counters, unless they are to be reset.
 * Changing keeps everything but actions (and the cookie where the version says so); where nothing matches, it adds
 * when a new cookie comes without a cookie filter, which is what OpenFlow 1.0 always does. Rules of the switch itself
 * are passed over.
 */
import type { Action } from '../../flowtable/action.ts';
import { MATCH_ALL, wordOf } from '../../flowtable/match.ts';
import { OFPP_CONTROLLER, OFPP_NORMAL, type OfPort } from '../../flowtable/of-port.ts';
import { Rule, type RuleStats } from '../../flowtable/rule.ts';
import { DP_HASH, RECIRC_ID } from '../../packet/key.ts';
import type { Bridge } from '../bridge.ts';
import type { Origin } from '../events.ts';
import { type FlowMod, OFPTT_ALL, type OfError, OfVersion } from '../model.ts';
import { Change } from './change.ts';
import { checkActions } from './check-actions.ts';
import { makeRoom } from './eviction.ts';
import type { FlowTable } from './flow-table.ts';

/** Carries a flow-mod out; null for success. */
export function applyFlowMod(bridge: Bridge, mod: FlowMod, origin: Origin = null): OfError | null {
  const change = new Change(bridge, origin);
  const error = beginFlowMod(change, mod);
  if (error !== null) change.revert();
  else change.commit();
  return error;
}

/** Begins a flow-mod as part of a change; after an error the caller reverts. */
export function beginFlowMod(change: Change, mod: FlowMod): OfError | null {
  const { bridge } = change;
  if (mod.tableId !== OFPTT_ALL && bridge.tables[mod.tableId] === undefined) {
    // Table 254 is the switch's own.
    return { error: 'OFPBRC_EPERM' };
  }
  const isDelete = mod.command === 'delete' || mod.command === 'deleteStrict';
  if (!isDelete) {
    const tableId = mod.tableId === OFPTT_ALL ? 0 : mod.tableId;
    const error = checkActions(bridge, mod.actions, mod.match, tableId, mod.version);
    if (error !== null) return error;
    // What recirculation matches on is the switch's own.
    if (wordOf(mod.match, DP_HASH).mask !== 0 || wordOf(mod.match, RECIRC_ID).value !== 0) {
      return { error: 'OFPBRC_EPERM' };
    }
  }
  switch (mod.command) {
    case 'add':
      return add(change, mod);
    case 'modify':
    case 'modifyStrict': {
      const rules = chosen(bridge, mod, mod.command === 'modifyStrict', false);
      if (rules.length === 0 && mod.newCookie !== null && mod.cookieMask === 0n) {
        return add(change, mod);
      }
      for (const rule of rules) modify(change, rule, mod);
      return null;
    }
    case 'delete':
    case 'deleteStrict':
      change.removeAll(chosen(bridge, mod, mod.command === 'deleteStrict', true), 'delete');
      return null;
  }
}

function add(change: Change, mod: FlowMod): OfError | null {
  const { bridge } = change;
  const table = bridge.tables[mod.tableId === OFPTT_ALL ? 0 : mod.tableId];
  const old = table.find(mod.match, mod.priority);
  if (old === null) {
    if (mod.flags.checkOverlap && table.overlaps(mod.match, mod.priority)) {
      return { error: 'OFPFMFC_OVERLAP' };
    }
    const error = makeRoom(change, table);
    if (error !== null) return error;
  }
  const keepsCounts = old !== null && !mod.flags.resetCounts;
  const now = bridge.clock.now();
  change.insert(
    new Rule(
      {
        tableId: table.id,
        priority: mod.priority,
        match: old === null ? table.sharing(mod.match) : old.match,
        actions: mod.actions,
        cookie: mod.newCookie ?? 0n,
        idleTimeoutSeconds: mod.idleTimeoutSeconds,
        hardTimeoutSeconds: mod.hardTimeoutSeconds,
        importance: mod.importance,
        flags: mod.flags,
        stats: statsAfter(old, keepsCounts),
      },
      now,
    ),
    'added',
  );
  return null;
}

/** Counters of what comes in place of `old`; the time of the last packet stays. */
function statsAfter(old: Rule | null, keepsCounts: boolean): RuleStats | undefined {
  if (old === null) return undefined;
  return keepsCounts ? old.stats : { packets: 0, bytes: 0, usedMs: old.usedMs };
}

function modify(change: Change, old: Rule, mod: FlowMod): void {
  const now = change.bridge.clock.now();
  const rule = new Rule(
    {
      tableId: old.tableId,
      priority: old.priority,
      match: old.match,
      actions: mod.actions,
      // The cookie of 1.1 is for flows that a modification adds.
      cookie: mod.version === OfVersion.OF11 ? old.cookie : (mod.newCookie ?? old.cookie),
      idleTimeoutSeconds: old.idleTimeoutSeconds,
      hardTimeoutSeconds: old.hardTimeoutSeconds,
      importance: old.importance,
      flags: old.flags,
      createdMs: old.createdMs,
      stats: statsAfter(old, !mod.flags.resetCounts),
    },
    now,
  );
  change.insert(rule, 'modified');
}

/** What a loose or strict command, or a statistics request, means. */
export interface FlowChoice {
  readonly tableId: number;
  readonly match: FlowMod['match'];
  readonly priority?: number;
  readonly cookie: bigint;
  readonly cookieMask: bigint;
  readonly outPort: OfPort | null;
  readonly outGroup: number | null;
}

/** Every flow. */
export const ANY_FLOW: FlowChoice = {
  tableId: OFPTT_ALL,
  match: MATCH_ALL,
  cookie: 0n,
  cookieMask: 0n,
  outPort: null,
  outGroup: null,
};

/** The flows that a command is about. `byOutput`: out_port and out_group count. */
export function chosen(
  bridge: Bridge,
  choice: FlowChoice,
  strict: boolean,
  byOutput: boolean,
): Rule[] {
  const tables: readonly FlowTable[] =
    choice.tableId === OFPTT_ALL
      ? bridge.tables
      : bridge.tables.slice(choice.tableId, choice.tableId + 1);
  const rules: Rule[] = [];
  const anyCookie = choice.cookieMask === 0n;
  for (const table of tables) {
    if (table.size === 0) continue;
    let candidates: readonly Rule[];
    if (strict) {
      const rule = table.find(choice.match, choice.priority ?? 0);
      candidates = rule === null ? [] : [rule];
    } else candidates = table.within(choice.match);
    for (const rule of candidates) {
      if (rule.isHidden) continue;
      if (!anyCookie && ((rule.cookie ^ choice.cookie) & choice.cookieMask) !== 0n) continue;
      if (byOutput) {
        if (choice.outPort !== null && !outputsTo(rule.actions, choice.outPort)) continue;
        if (choice.outGroup !== null && !usesGroup(rule.actions, choice.outGroup)) continue;
      }
      rules.push(rule);
    }
  }
  return rules;
}

/** As far as out_port goes: an output that cuts the frame, or that reads its port from a field, does not count, as in the original. */
export function outputsTo(actions: readonly Action[], port: OfPort): boolean {
  return someAction(
    actions,
    (a) =>
      ((a.kind === 'output' || a.kind === 'enqueue') && a.port === port) ||
      (a.kind === 'normal' && port === OFPP_NORMAL) ||
      (a.kind === 'controller' && port === OFPP_CONTROLLER),
  );
}

export const usesGroup = (actions: readonly Action[], groupId: number): boolean =>
  someAction(actions, (a) => a.kind === 'group' && a.groupId === groupId);

export const usesMeter = (actions: readonly Action[], meterId: number): boolean =>
  someAction(actions, (a) => a.kind === 'meter' && a.meterId === meterId);

/** Looks into nested lists, too. */
function someAction(actions: readonly Action[], is: (action: Action) => boolean): boolean {
  return actions.some(
    (a) =>
      is(a) ||
      ((a.kind === 'writeActions' || a.kind === 'clone' || a.kind === 'ct') &&
        someAction(a.actions, is)),
  );
}
