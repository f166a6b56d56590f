/** `coverage/*`: event counters, for people and for exporters that scrape them. */
import type { Coverage } from '../../util/coverage.ts';
import { type Command, CommandError } from '../command.ts';

export function coverageCommands(coverage: Coverage): Command[] {
  return [
    { name: 'coverage/show', usage: '', minArgs: 0, maxArgs: 0, run: () => coverage.show() },
    {
      name: 'coverage/read-counter',
      usage: 'COUNTER',
      minArgs: 1,
      maxArgs: 1,
      run: ([name]) => {
        const total = coverage.total(name);
        if (total === undefined) throw new CommandError('No such counter');
        return String(total);
      },
    },
  ];
}
