/** `time/stop` and `time/warp`: hold the daemon's clock and move it, for tests that must not wait. */
import type { RealClock } from '../../util/real-clock.ts';
import { type Command, CommandError } from '../command.ts';

export function timeCommands(clock: RealClock): Command[] {
  let warping = false;
  return [
    {
      name: 'time/stop',
      usage: '',
      minArgs: 0,
      maxArgs: 0,
      run: () => {
        clock.stop();
        return '';
      },
    },
    {
      name: 'time/warp',
      usage: '[large_msecs] msecs',
      minArgs: 1,
      maxArgs: 2,
      run: async (args) => {
        // With two arguments the first is the whole way and the second one step.
        const total = Number.parseInt(args[0], 10) || 0;
        const step = args.length > 1 ? Number.parseInt(args[1], 10) || 0 : total;
        if (step <= 0 || total < 0) throw new CommandError('invalid MSECS');
        if (warping) throw new CommandError('a warp is already running');
        warping = true;
        try {
          await clock.warp(total, step);
        } finally {
          warping = false;
        }
        return 'warped';
      },
    },
  ];
}
