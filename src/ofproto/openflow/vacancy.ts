/**
 * Vacancy events of OpenFlow 1.4: a table tells when its free room falls below one mark, then not again before it has
 * risen above the other, and so on in turn.
 */
import type { Bridge } from '../bridge.ts';
import type { FlowTable } from '../tables/flow-table.ts';

type VacancyEvent = 'vacancyDown' | 'vacancyUp';

/** Free room in percent; a table without a limit is always empty. */
export function vacancyPercent(table: FlowTable): number {
  const limit = table.settings.flowLimit;
  if (limit === null || limit === 0) return 100;
  return Math.max(0, Math.floor(((limit - table.size) * 100) / limit));
}

export class Vacancy {
  private readonly bridge: Bridge;
  private readonly tell: (table: FlowTable, event: VacancyEvent) => void;
  /** What each table that has such events tells next. */
  private readonly awaited = new Map<number, VacancyEvent>();

  constructor(bridge: Bridge, tell: (table: FlowTable, event: VacancyEvent) => void) {
    this.bridge = bridge;
    this.tell = tell;
  }

  /** After a table-mod. */
  configured(): void {
    for (const table of this.bridge.tables) {
      if (table.vacancy === null) this.awaited.delete(table.id);
      else if (!this.awaited.has(table.id)) {
        const isFree = vacancyPercent(table) >= table.vacancy.upPercent;
        this.awaited.set(table.id, isFree ? 'vacancyDown' : 'vacancyUp');
      }
    }
  }

  /** After a change of flows. */
  changed(tableId: number): void {
    const awaited = this.awaited.get(tableId);
    const table = this.bridge.tables[tableId];
    if (awaited === undefined || table?.vacancy == null) return;
    const percent = vacancyPercent(table);
    const { downPercent, upPercent } = table.vacancy;
    const event = percent < downPercent ? 'vacancyDown' : percent > upPercent ? 'vacancyUp' : null;
    if (event !== awaited) return;
    this.awaited.set(tableId, event === 'vacancyDown' ? 'vacancyUp' : 'vacancyDown');
    this.tell(table, event);
  }
}
