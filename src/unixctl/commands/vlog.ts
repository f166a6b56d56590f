/** `vlog/*`: levels, patterns and the file of the log (ovs-appctl(8), LOGGING COMMANDS). */
import type { Vlog } from '../../util/vlog.ts';
import { type Command, CommandError } from '../command.ts';

const failIf = (error: string | undefined): string => {
  if (error !== undefined) throw new CommandError(error);
  return '';
};

export function vlogCommands(vlog: Vlog): Command[] {
  const many = Number.POSITIVE_INFINITY;
  return [
    {
      name: 'vlog/set',
      usage: '{spec | PATTERN:destination:pattern}',
      minArgs: 0,
      maxArgs: many,
      run: (args) => {
        for (const spec of args.length === 0 ? [''] : args) failIf(vlog.set(spec));
        return '';
      },
    },
    { name: 'vlog/list', usage: '', minArgs: 0, maxArgs: 0, run: () => vlog.listText() },
    { name: 'vlog/list-pattern', usage: '', minArgs: 0, maxArgs: 0, run: () => vlog.patternText() },
    {
      name: 'vlog/enable-rate-limit',
      usage: '[module]...',
      minArgs: 0,
      maxArgs: many,
      run: (modules) => failIf(vlog.setRateLimits(true, modules)),
    },
    {
      name: 'vlog/disable-rate-limit',
      usage: '[module]...',
      minArgs: 0,
      maxArgs: many,
      run: (modules) => failIf(vlog.setRateLimits(false, modules)),
    },
    { name: 'vlog/reopen', usage: '', minArgs: 0, maxArgs: 0, run: () => failIf(vlog.reopen()) },
    {
      name: 'vlog/close',
      usage: '',
      minArgs: 0,
      maxArgs: 0,
      run: () => {
        vlog.close();
        return '';
      },
    },
  ];
}
