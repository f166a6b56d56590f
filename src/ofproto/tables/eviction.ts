/** Room in a table with a limit: the new flow is refused, or takes the place of another one (eviction-index.ts says which). */
import type { OfError } from '../model.ts';
import type { Change } from './change.ts';
import type { FlowTable } from './flow-table.ts';

/** Flows in all: beyond it memory is at stake. */
const MAX_FLOWS = 1_000_000;

/** Makes room for one more flow, evicting as many as the limit, perhaps lowered, asks for. */
export function makeRoom(change: Change, table: FlowTable): OfError | null {
  const limit = Math.min(table.settings.flowLimit ?? MAX_FLOWS, MAX_FLOWS);
  return evictTo(change, table, limit - 1) ? null : { error: 'OFPFMFC_TABLE_FULL' };
}

/** A table that evicts gets as many flows as its limit, perhaps lowered, has room for. */
export function evictExcess(change: Change, table: FlowTable): void {
  if (table.isEvicting) evictTo(change, table, table.settings.flowLimit ?? MAX_FLOWS);
}

/** False when more than `size` flows are left that may not go. */
function evictTo(change: Change, table: FlowTable, size: number): boolean {
  while (table.size > size) {
    const victim = table.isEvicting ? table.nextVictim() : null;
    if (victim === null) return false;
    change.remove(victim, 'eviction');
  }
  return true;
}
