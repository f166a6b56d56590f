/** `exit [--cleanup]`: ends the daemon; the answer goes out when everything is released, as in the original. */
import { type Command, CommandError } from '../command.ts';

/** `shutdown` releases what the daemon holds, with --cleanup also datapath and devices; then the process ends. */
export function exitCommands(shutdown: (cleanup: boolean) => Promise<void>): Command[] {
  return [
    {
      name: 'exit',
      usage: '[--cleanup]',
      minArgs: 0,
      maxArgs: 1,
      run: async ([option]) => {
        if (option !== undefined && option !== '--cleanup') {
          throw new CommandError(`unknown option "${option}"`);
        }
        await shutdown(option === '--cleanup');
        return '';
      },
    },
  ];
}
