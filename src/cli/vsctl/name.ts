/**
 * What this program calls itself: as the original, by the name that it was started under. Scripts that look for `ovs-vsctl:` in messages
 * find it where a link of that name leads here.
 */
import { basename } from 'node:path';

const NAMES = ['ts-vsctl', 'ovs-vsctl'];

export const nameOf = (path: string | undefined): string =>
  NAMES.find((name) => name === basename(path ?? '')) ?? NAMES[0];
