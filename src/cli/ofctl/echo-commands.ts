/** How fast a switch or controller answers: ping and benchmark, which send echo requests of so many bytes. */
import { performance } from 'node:perf_hooks';
import type { Command, CommandTable } from './command.ts';
import { fail } from './ofctl-error.ts';

const HEADER_BYTES = 8;
const MOST_BYTES = 65535 - HEADER_BYTES;
const PINGS = 10;
const USUAL_BYTES = 64;

const payloadOf = (text: string): Uint8Array => {
  // Text that is no number counts as 0, as atoi(3) has it.
  const bytes = Number.parseInt(text, 10) || 0;
  if (bytes < 0 || bytes > MOST_BYTES) fail(`payload must be between 0 and ${MOST_BYTES} bytes`);
  return Uint8Array.from({ length: bytes }, (_, i) => i & 0xff);
};

const ping: Command = {
  least: 1,
  most: 2,
  usage: 'TARGET [N]',
  async run(shell, [target, text]) {
    const whole = text === undefined ? USUAL_BYTES : Number.parseInt(text, 10) || 0;
    if (whole < HEADER_BYTES) fail(`payload must be between 0 and ${MOST_BYTES} bytes`);
    const data = payloadOf(String(whole - HEADER_BYTES));
    const session = await shell.open(target);
    for (let i = 0; i < PINGS; i++) {
      const start = performance.now();
      const [{ decoded }] = await session.request({ kind: 'echoRequest', data });
      const took = performance.now() - start;
      const xid = decoded.xid.toString(16).padStart(8, '0');
      shell.print(`${whole} bytes from ${target}: xid=${xid} time=${took.toFixed(1)} ms\n`);
    }
    return undefined;
  },
};

const benchmark: Command = {
  least: 3,
  most: 3,
  usage: 'TARGET N COUNT',
  async run(shell, [target, size, times]) {
    const data = payloadOf(size);
    const message = data.length + HEADER_BYTES;
    const count = Number.parseInt(times, 10) || 0;
    const session = await shell.open(target);
    shell.print(
      `Sending ${count} packets * ${message} bytes (with header) = ${count * message} bytes total\n`,
    );
    const start = performance.now();
    for (let i = 0; i < count; i++) await session.request({ kind: 'echoRequest', data });
    const tookMs = performance.now() - start;
    const rate = (n: number): string => ((n / tookMs) * 1000).toFixed(0);
    shell.print(
      count === 0
        ? 'Finished in 0.0 ms (-nan packets/s) (-nan bytes/s)\n'
        : `Finished in ${tookMs.toFixed(1)} ms (${rate(count)} packets/s) (${rate(count * message)} bytes/s)\n`,
    );
    return undefined;
  },
};

export const echoCommands: CommandTable = { ping, benchmark };
