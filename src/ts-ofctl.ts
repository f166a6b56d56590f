/** ts-ofctl's entry: the real process, terminal and files for the client of src/cli/ofctl. */
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { runOfctl } from './cli/ofctl/client.ts';
import { writeText } from './cli/write-text.ts';

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;

process.exitCode = await runOfctl(process.argv.slice(2), {
  env: process.env,
  isTerminal: process.stdout.isTTY === true,
  print: (text) => writeText(STDOUT, text),
  complain: (text) => writeText(STDERR, text),
  alarm: (seconds) => {
    setTimeout(() => process.kill(process.pid, 'SIGALRM'), seconds * 1000).unref();
  },
  readFile: (file) => readFileSync(file === '-' ? STDIN : file),
});
