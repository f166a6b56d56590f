/** Commands of ovsdb-server(1) for the database that the daemon serves itself. */
import { DatabaseFileError } from '../../ovsdb/server/database-file.ts';
import type { EmbeddedDatabase } from '../../ovsdb/server/embedded-database.ts';
import { type Command, CommandError } from '../command.ts';

export function ovsdbServerCommands(embedded: EmbeddedDatabase): Command[] {
  const { server, hosted, file } = embedded;
  const { name } = hosted.db.schema;
  const command = (
    suffix: string,
    usage: string,
    [minArgs, maxArgs]: readonly [number, number],
    run: (args: string[]) => string,
  ): Command => ({ name: `ovsdb-server/${suffix}`, usage, minArgs, maxArgs, run });
  const lines = (names: string[]): string => names.map((line) => `${line}\n`).join('');
  return [
    command('list-dbs', '', [0, 0], () => lines([...server.databases.keys()].sort())),
    command('list-remotes', '', [0, 0], () => lines(embedded.remotes())),
    command('add-remote', 'REMOTE', [1, 1], ([target]) => {
      embedded.addRemote(target);
      return '';
    }),
    command('remove-remote', 'REMOTE', [1, 1], ([target]) => {
      if (!embedded.removeRemote(target)) throw new CommandError('no such remote');
      return '';
    }),
    command('compact', '', [0, 1], ([wanted]) => {
      if (wanted !== undefined && wanted !== name)
        throw new CommandError('no database by that name');
      try {
        file.compact();
      } catch (error) {
        if (error instanceof DatabaseFileError) throw new CommandError(error.message);
        throw error;
      }
      return '';
    }),
    command('get-db-storage-status', 'DB', [1, 1], ([wanted]) => {
      if (wanted !== name) throw new CommandError('Failed to find the database.');
      return 'status: ok';
    }),
    command('sync-status', '', [0, 0], () => 'state: active\n'),
    command('reconnect', '', [0, 0], () => {
      embedded.reconnect();
      return '';
    }),
  ];
}

/** What `memory/show` counts of it: values, and fields of rows with the two that every table has. */
export function databaseUsage({ hosted }: EmbeddedDatabase): Record<string, number> {
  let atoms = 0;
  let cells = 0;
  for (const { rows } of hosted.db.tables.values()) {
    for (const { fields } of rows.values()) {
      cells += fields.length;
      for (const { keys } of fields) atoms += keys.length;
    }
  }
  return { atoms, cells };
}
