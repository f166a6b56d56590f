/** A bridge filled with made up groups, meters and flows. */
import { expect } from 'vitest';
import type { Action } from '../../../src/flowtable/action.ts';
import { type Match, MatchBuilder } from '../../../src/flowtable/match.ts';
import { ofPort } from '../../../src/flowtable/of-port.ts';
import type { Bridge } from '../../../src/ofproto/bridge.ts';
import { type FlowMod, NO_FLAGS, OfVersion } from '../../../src/ofproto/model.ts';
import { applyFlowMod } from '../../../src/ofproto/tables/flow-mods.ts';
import { applyGroupMod } from '../../../src/ofproto/tables/groups.ts';
import { applyMeterMod } from '../../../src/ofproto/tables/meters.ts';
import * as K from '../../../src/packet/key.ts';
import { randomAction } from './actions.ts';
import type { Chance } from './chance.ts';
import { randomMatch } from './matches.ts';

export const mod = (
  table: number,
  priority: number,
  match: Match,
  actions: readonly Action[],
): FlowMod => ({
  command: 'add',
  tableId: table,
  priority,
  match,
  actions,
  newCookie: 0n,
  cookie: 0n,
  cookieMask: 0n,
  idleTimeoutSeconds: 0,
  hardTimeoutSeconds: 0,
  importance: 0,
  bufferId: 0xffffffff,
  outPort: null,
  outGroup: null,
  flags: NO_FLAGS,
  version: OfVersion.OF10,
});

/** Makes a bridge's contents anew. Ports 1 to 5 and 11 may be there. */
export function fill(bridge: Bridge, chance: Chance): void {
  const { next, pick } = chance;
  bridge.flushFlows();
  bridge.setFragments(pick(['normal', 'normal', 'nx-match', 'drop']));
  for (const id of [1, 2]) {
    const bands = [{ type: 'drop', rate: 1000 * id, burst: 0, precLevel: 0 } as const];
    const flags = { kbps: true, pktps: false, burst: false, stats: false };
    expect(applyMeterMod(bridge, { command: 'add', meterId: id, flags, bands })).toBeNull();
  }
  const bucket = (bucketId: number, actions: readonly Action[]) => ({
    bucketId,
    weight: 1 + next(3),
    watchPort: ofPort(2),
    watchGroup: null,
    actions,
  });
  const types = ['all', 'indirect', 'fastFailover', 'select'] as const;
  types.forEach((type, i) => {
    const buckets = [
      bucket(0, [randomAction(chance, 5, 9), { kind: 'output', port: ofPort(2), maxBytes: 0 }]),
    ];
    if (type !== 'indirect')
      buckets.push(bucket(1, [{ kind: 'output', port: ofPort(3), maxBytes: 0 }]));
    const selection =
      next(2) === 0
        ? null
        : {
            method: pick(['hash', 'dp_hash'] as const),
            param: 0n,
            named: [],
            fields: new MatchBuilder().set(K.IPV4_SRC, 0).set(K.TP, 0, 0xffff).build(),
          };
    expect(
      applyGroupMod(bridge, {
        command: 'add',
        type,
        groupId: i + 1,
        buckets,
        commandBucketId: 0,
        selection: type === 'select' ? selection : null,
        version: OfVersion.OF13,
      }),
    ).toBeNull();
  });
  for (let table = 0; table < 4; table++) {
    for (let i = 0; i < 5; i++) {
      const actions = Array.from({ length: 1 + next(5) }, () => randomAction(chance, table, table));
      // goto_table ends a list.
      const end = actions.findIndex((a) => a.kind === 'gotoTable');
      const list = end < 0 ? actions : actions.slice(0, end + 1);
      applyFlowMod(bridge, mod(table, i < 2 ? 5 : 10 + i, randomMatch(chance, table === 0), list));
    }
    if (next(3) === 0) {
      for (let clause = 0; clause < 2; clause++) {
        applyFlowMod(
          bridge,
          mod(table, 40, randomMatch(chance, false), [
            { kind: 'conjunction', id: 1, clause, clauses: 2 },
          ]),
        );
      }
      const found = new MatchBuilder().set(K.CONJ_ID, 1).build();
      applyFlowMod(
        bridge,
        mod(table, 1, found, [{ kind: 'output', port: ofPort(4), maxBytes: 0 }]),
      );
    }
  }
}
