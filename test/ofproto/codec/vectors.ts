/** The byte vectors beside this file: what ovs-ofctl sent, in each version, and how it prints that. */
import { readFileSync } from 'node:fs';
import { OF10, type OfVersion } from '../../../src/ofproto/codec/versions.ts';
import { hex } from '../../packet/bytes.ts';

export interface Vector {
  readonly form: string;
  readonly version: OfVersion;
  readonly nxm: boolean;
  readonly bytes: Uint8Array;
  readonly text: string;
}

const versionOf = (form: string): OfVersion =>
  form === 'nxm' ? OF10 : ((Number(form) - 9) as OfVersion);

export function vectors(name: 'matches' | 'actions'): readonly Vector[] {
  const lines = readFileSync(new URL(`./vectors/${name}.txt`, import.meta.url), 'utf8').split('\n');
  return lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [form, digits, text = ''] = line.split(/ \|(?: |$)/).map((part) => part.trim());
      return { form, version: versionOf(form), nxm: form === 'nxm', bytes: hex(digits), text };
    });
}

export const asHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
