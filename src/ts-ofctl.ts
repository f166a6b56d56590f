/** ts-ofctl's entry: the real process, terminal and files for the client of src/cli/ofctl. */
import { readFileSync, writeSync } from 'node:fs';
import process from 'node:process';
import { runOfctl } from './cli/ofctl/client.ts';

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;

/** Written at once, so that what a pipe's reader sees is in order and complete; a reader that went away ends the program. */
function write(fd: number, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : '';
      if (code === 'EAGAIN') continue;
      process.exit(code === 'EPIPE' ? 0 : 1);
    }
  }
}

process.exitCode = await runOfctl(process.argv.slice(2), {
  env: process.env,
  isTerminal: process.stdout.isTTY === true,
  print: (text) => write(STDOUT, text),
  complain: (text) => write(STDERR, text),
  alarm: (seconds) => {
    setTimeout(() => process.kill(process.pid, 'SIGALRM'), seconds * 1000).unref();
  },
  readFile: (file) => readFileSync(file === '-' ? STDIN : file),
});
