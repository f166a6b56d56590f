/** All commands by name. */
import { bridgeCommands } from './bridge-commands.ts';
import { changingCommands } from './change-commands.ts';
import type { Command } from './command.ts';
import { readingCommands } from './database-commands.ts';
import { portCommands } from './port-commands.ts';
import { showCommands } from './show.ts';

/** Groups as --help shows them. */
export const COMMAND_GROUPS: readonly (readonly [string, readonly Command[]])[] = [
  ['Open vSwitch', showCommands],
  ['Bridge', bridgeCommands],
  ['Port and interface', portCommands],
  ['Database', [...readingCommands, ...changingCommands]],
];

export const COMMANDS: ReadonlyMap<string, Command> = new Map(
  COMMAND_GROUPS.flatMap(([, commands]) => commands.map((one) => [one.name, one] as const)),
);
