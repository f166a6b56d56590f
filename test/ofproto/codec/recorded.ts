/** The messages that the original's programs said to each other (fixtures/collect.ts recorded them); read from the top folder, where tests run. */
import { readFileSync } from 'node:fs';
import type { OfVersion } from '../../../src/ofproto/codec/versions.ts';

export interface Recorded {
  /** Line of the file, and the command it came from, for messages of tests. */
  readonly where: string;
  readonly toSwitch: boolean;
  readonly version: OfVersion;
  readonly bytes: Uint8Array;
}

export function recordedMessages(): Recorded[] {
  const lines = readFileSync('test/ofproto/codec/fixtures/recorded.hex', 'utf8').split('\n');
  const list: Recorded[] = [];
  let command = '';
  lines.forEach((line, i) => {
    if (line.startsWith('#')) command = line.slice(2);
    const [direction, text] = line.split(' ');
    if ((direction !== '>' && direction !== '<') || text === undefined) return;
    const bytes = Uint8Array.from(Buffer.from(text, 'hex'));
    const where = `line ${i + 1}, ${command}`;
    list.push({ where, toSwitch: direction === '>', version: bytes[0] as OfVersion, bytes });
  });
  return list;
}
