/** Writing to standard output and error as a command line tool wants it. */
import { writeSync } from 'node:fs';

/** Written at once, so that what a pipe's reader sees is in order and complete; a reader that went away ends the program. */
export function writeText(fd: number, text: string): void {
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
