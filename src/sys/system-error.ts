/** A system call that failed: which one, on what, and the kernel's reason. */
import { errno, strerror } from './libc.ts';

export class SystemError extends Error {
  readonly call: string;
  /** errno(3) number. */
  readonly errno: number;

  constructor(call: string, about: string, code = errno()) {
    super(`${about}: ${call} failed (${strerror(code)})`);
    this.name = 'SystemError';
    this.call = call;
    this.errno = code;
  }
}

/** Passes a result of at least 0 on; throws a SystemError for a negative one. */
export function check(result: number, call: string, about: string): number {
  if (result < 0) throw new SystemError(call, about);
  return result;
}
