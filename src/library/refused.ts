/** From the inside's values for what went wrong to the library's exception. */
import type { OfError } from '../ofproto/model.ts';
import type { Parsed } from '../ofproto/text/syntax.ts';
import { SwitchError } from './api.ts';

export function accepted<T>(got: Parsed<T>, where = ''): T {
  if (got.ok) return got.value;
  throw new SwitchError(`${where}${got.error}`);
}

/** `what` is what was asked for. */
export function demand(error: OfError | null, what: string): void {
  if (error !== null) throw new SwitchError(`${what}: ${error.error}`);
}
