/** Flow-mods for tests: what is not said has its usual value. */
import type { Action } from '../../src/flowtable/action.ts';
import type { Match } from '../../src/flowtable/match.ts';
import { type FlowMod, NO_BUFFER, NO_FLAGS, OfVersion } from '../../src/ofproto/model.ts';

/** An addition at priority 100 to table 0, or what `more` makes of it. */
export const flow = (
  match: Match,
  actions: readonly Action[],
  more: Partial<FlowMod> = {},
): FlowMod => ({
  command: 'add',
  tableId: 0,
  priority: 100,
  match,
  actions,
  newCookie: more.command === undefined || more.command === 'add' ? 0n : null,
  cookie: 0n,
  cookieMask: 0n,
  idleTimeoutSeconds: 0,
  hardTimeoutSeconds: 0,
  importance: 0,
  bufferId: NO_BUFFER,
  outPort: null,
  outGroup: null,
  flags: NO_FLAGS,
  version: OfVersion.OF13,
  ...more,
});
