/** The habits that keep the tree readable, checked: openings, lengths, names, and nothing left lying about. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesUnder, root } from './source-tree.ts';

const code = ['src', 'test', 'bench', 'scripts'].flatMap((folder) =>
  filesUnder(folder, /\.(ts|mjs)$/),
);
const text = filesUnder('', /\.(ts|mjs|js|json|md|yml|service)$|^(run|ts-vswitchd)$/);
const names = (files: readonly { path: string }[]): string[] => files.map(({ path }) => path);

/** Spelt in pieces, so that this file does not find itself. */
const words = (...pieces: readonly string[]): RegExp => new RegExp(pieces.join(''));

describe('every source file', () => {
  it('opens by saying what it is, except a test, whose titles say it', () => {
    const judged = code.filter(({ path }) => !path.endsWith('.test.ts'));
    expect(names(judged.filter((file) => !/^(#!.*\n)?\/(\*\*|\/) ?\S?/.test(file.text)))).toEqual(
      [],
    );
  });

  it('has at most 600 lines', () => {
    expect(names(code.filter((file) => file.text.split('\n').length > 601))).toEqual([]);
  });

  it('has a name in kebab-case', () => {
    const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.contract|\.d)?(\.test|\.lab)?\.(ts|mjs)$/;
    expect(names(code).filter((path) => !kebab.test(path.split('/').at(-1) as string))).toEqual([]);
  });

  it('silences no checker', () => {
    const silenced = words(
      '@ts',
      '-(ignore|nocheck|expect-error)|biome',
      '-ignore|eslint',
      '-disable',
    );
    expect(names(code.filter((file) => silenced.test(file.text)))).toEqual([]);
  });

  it('is no barrel', () => {
    const barrel = /^export \* from/m;
    expect(names(code.filter((file) => barrel.test(file.text)))).toEqual([]);
  });
});

describe('the repository', () => {
  it('holds no unfinished marks', () => {
    const marks = words('\\b(TO', 'DO|FIX', 'ME|XX', 'X)\\b');
    expect(names(text.filter((file) => marks.test(file.text)))).toEqual([]);
  });

  it('names no path of a developer machine and no registry host', () => {
    const places = words('/wo', 'rk/|/ho', 'me/[a-z]|registry\\.', 'npmjs|artifact', 'ory');
    const judged = text.filter(({ path }) => path !== 'package-lock.json');
    expect(names(judged.filter((file) => places.test(file.text)))).toEqual([]);
  });

  it('locks versions without saying where they came from', () => {
    const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
    expect(lock).toContain('"lockfileVersion"');
    expect(lock).not.toContain('"resolved"');
  });
});
