/** Deleting all flows of a table, which is done at once. */
import { expect, test } from 'vitest';
import type { Action } from '../../src/flowtable/action.ts';
import { MATCH_ALL, type Match, MatchBuilder } from '../../src/flowtable/match.ts';
import { ofPort } from '../../src/flowtable/of-port.ts';
import { NO_LISTENER } from '../../src/ofproto/events.ts';
import { type FlowMod, type FlowRemoved, NO_FLAGS } from '../../src/ofproto/model.ts';
import { Change } from '../../src/ofproto/tables/change.ts';
import { applyFlowMod, beginFlowMod } from '../../src/ofproto/tables/flow-mods.ts';
import { flowStats } from '../../src/ofproto/tables/flow-stats.ts';
import { IPV4_DST } from '../../src/packet/key.ts';
import { flow } from './flow-mod.ts';
import { Lab } from './lab.ts';

const out = (port: number): Action => ({ kind: 'output', port: ofPort(port), maxBytes: 0 });

test('a whole table that is deleted comes back when the change is reverted, and is told flow by flow when it is not', () => {
  const lab = new Lab();
  const br = lab.bridge('br0');
  br.configure({ failMode: 'secure' });
  const removed: FlowRemoved[] = [];
  br.listener = { ...NO_LISTENER, flowRemoved: (r) => removed.push(r) };
  const apply = (mod: FlowMod): string => applyFlowMod(br, mod)?.error ?? 'ok';
  const all = () => [
    ...flowStats(br, {
      tableId: 255,
      match: MATCH_ALL,
      cookie: 0n,
      cookieMask: 0n,
      outPort: null,
      outGroup: null,
    }),
  ];

  const table = br.tables[0];
  table.configure({ ...table.settings, flowLimit: 50, overflow: 'evict' });
  const flags = { ...NO_FLAGS, sendFlowRemoved: true };
  const numbered = (n: number): Match => new MatchBuilder().set(IPV4_DST, n).build();
  for (let n = 0; n < 50; n++) {
    apply(flow(numbered(n), [out(2)], { flags, hardTimeoutSeconds: 100 + n }));
  }
  apply(flow(MATCH_ALL, [out(3)], { tableId: 1, flags }));
  const before = all();
  const deletion = flow(MATCH_ALL, [], { command: 'delete', tableId: 255 });
  const change = new Change(br, null);
  expect(beginFlowMod(change, deletion)).toBeNull();
  expect(all()).toEqual([]);
  expect(beginFlowMod(change, flow(numbered(7), [out(4)]))).toBeNull();
  change.revert();
  expect(all()).toEqual(before);
  // The limit and the next victim are those of the flows that came back.
  expect(apply(flow(numbered(50), [out(2)], { flags }))).toBe('ok');
  expect(table.size).toBe(50);
  expect(table.find(numbered(0), 100)).toBeNull();
  expect(removed.map((r) => r.reason)).toEqual(['eviction']);

  expect(apply(deletion)).toBe('ok');
  expect(all()).toEqual([]);
  expect(removed.slice(1).map((r) => r.reason)).toEqual(Array(51).fill('delete'));
  // Nobody waits for their timeouts any more.
  lab.clock.advance(1_000_000);
  br.expireFlows();
  expect(removed).toHaveLength(52);
  lab.switch.close();
});
