/** stand-in */
import type { Action } from '../../flowtable/action.ts';
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';
export function readActionList(r: Reader, length: number): readonly Action[] {
  return [{ kind: 'note', data: r.copy(length) }];
}
export function writeActionList(w: Writer, actions: readonly Action[]): void {
  for (const a of actions) if (a.kind === 'note') w.put(a.data);
}
export const readFlowActions = (r: Reader): readonly Action[] => readActionList(r, r.left);
export const writeFlowActions = writeActionList;
