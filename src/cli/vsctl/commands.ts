/** All commands by name. */
import { autoAttachCommands } from './auto-attach-commands.ts';
import { bondCommands } from './bond-commands.ts';
import { bridgeCommands } from './bridge-commands.ts';
import { changingCommands } from './change-commands.ts';
import type { Command } from './command.ts';
import { controllerCommands, managerCommands, sslCommands } from './connection-commands.ts';
import { readingCommands } from './database-commands.ts';
import { datapathCommands } from './datapath-commands.ts';
import { resetCommands } from './emergency-reset.ts';
import { externalIdCommands } from './external-id-commands.ts';
import { portCommands } from './port-commands.ts';
import { showCommands } from './show.ts';

/** Groups as --help shows them. */
export const COMMAND_GROUPS: readonly (readonly [string, readonly Command[]])[] = [
  ['Open vSwitch', [...showCommands, ...resetCommands]],
  ['Bridge', [...bridgeCommands, ...externalIdCommands]],
  ['Port and interface', portCommands],
  ['Bond', bondCommands],
  ['Controller', controllerCommands],
  ['Manager', managerCommands],
  ['SSL', sslCommands],
  ['Auto Attach', autoAttachCommands],
  ['Datapath', datapathCommands],
  ['Database', [...readingCommands, ...changingCommands]],
];

export const COMMANDS: ReadonlyMap<string, Command> = new Map(
  COMMAND_GROUPS.flatMap(([, commands]) => commands.map((one) => [one.name, one] as const)),
);
