/** Keeps what is logged as `module|LEVEL|text` lines. */
import type { LogSource } from '../../../src/util/logger.ts';

export class LogRecorder implements LogSource {
  readonly lines: string[] = [];

  module(name: string) {
    const at = (level: string) => (message: string) => {
      this.lines.push(`${name}|${level}|${message}`);
    };
    return {
      emer: at('EMER'),
      err: at('ERR'),
      warn: at('WARN'),
      info: at('INFO'),
      dbg: () => {},
      enabled: () => false,
    };
  }

  has(part: string): boolean {
    return this.lines.some((line) => line.includes(part));
  }
}
