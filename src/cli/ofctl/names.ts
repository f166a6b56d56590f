/**
 * Names of a switch's ports and tables, by which flows may name them (ovs-ofctl(8), --names). Two ports of one name, which a cut to 15 bytes can
 * cause, have none.
 */
import type { OfPort } from '../../flowtable/of-port.ts';
import { OF13 } from '../../ofproto/codec/versions.ts';
import type { PortDescription } from '../../ofproto/model.ts';
import type { NameOptions } from '../../ofproto/text/field-text.ts';
import { type NameLookup, portOf } from '../../ofproto/text/syntax.ts';
import { fail } from './ofctl-error.ts';
import type { Session } from './session.ts';

export class PortNames implements NameLookup, NameOptions {
  private readonly numbers = new Map<string, OfPort | null>();
  private readonly names = new Map<OfPort, string>();

  private readonly tableNumbers: ReadonlyMap<string, number>;
  private readonly tableNames: ReadonlyMap<number, string>;

  constructor(ports: readonly PortDescription[], tables: readonly NamedTable[] = []) {
    this.tableNumbers = new Map(tables.map(({ tableId, name }) => [name, tableId]));
    this.tableNames = new Map(tables.map(({ tableId, name }) => [tableId, name]));
    for (const { port, name } of ports) {
      this.numbers.set(name, this.numbers.has(name) ? null : port);
      this.names.set(port, name);
    }
  }

  readonly portByName = (name: string): OfPort | null => this.numbers.get(name) ?? null;

  readonly portName = (port: OfPort): string | null => {
    const name = this.names.get(port);
    return name === undefined || this.numbers.get(name) !== port ? null : name;
  };

  readonly tableByName = (name: string): number | null => this.tableNumbers.get(name) ?? null;

  readonly tableName = (table: number): string | null => this.tableNames.get(table) ?? null;
}

interface NamedTable {
  readonly tableId: number;
  readonly name: string;
}

export const NO_NAMES = new PortNames([]);

export async function describePorts(session: Session): Promise<readonly PortDescription[]> {
  const parts = await session.request({ kind: 'portDescRequest', port: null });
  return parts.flatMap(({ decoded }) =>
    decoded.ok && decoded.message.kind === 'portDescReply' ? decoded.message.entries : [],
  );
}

/** Tables that have names: their features tell them since 1.3, their statistics before. */
async function describeTables(session: Session): Promise<readonly NamedTable[]> {
  const parts = await session.request(
    session.version >= OF13
      ? { kind: 'tableFeaturesRequest', entries: [] }
      : { kind: 'tableStatsRequest' },
  );
  return parts.flatMap(({ decoded }) => {
    if (!decoded.ok) return [];
    const { message } = decoded;
    if (message.kind === 'tableFeaturesReply') return message.entries.filter((t) => t.name !== '');
    if (message.kind !== 'tableStatsReply') return [];
    return message.entries.flatMap(({ tableId, name }) =>
      name === null || name === undefined || name === '' ? [] : [{ tableId, name }],
    );
  });
}

export async function namesOf(session: Session, withTables: boolean): Promise<PortNames> {
  const ports = await describePorts(session);
  return new PortNames(ports, withTables ? await describeTables(session) : []);
}

/** A port that a command names; `target` for the message when there is none. */
export const namedPort = (text: string, names: PortNames, target: string): OfPort =>
  portOf(text, names) ?? fail(`${target}: unknown port \`${text}'`);
