/** Who may import whom. The table is the one of ARCHITECTURE.md; a new folder must take a place in it. */
import { describe, expect, it } from 'vitest';
import { filesUnder, type Import, importsOf, type SourceFile } from './source-tree.ts';

/** A file may import from its own layer and from the ones below. */
const LAYER: Readonly<Record<string, number>> = {
  util: 0,
  packet: 1,
  sys: 1,
  flowtable: 2,
  tunnels: 2,
  ovsdb: 2,
  datapath: 3,
  ofproto: 4,
  config: 5,
  unixctl: 5,
  web: 5,
  cli: 6,
  library: 6,
  'main.ts': 6,
  'switchd.ts': 6,
  'ts-ofctl.ts': 6,
  'ts-vsctl.ts': 6,
  'ts-appctl.ts': 6,
};

/** Below, and still forbidden: decision and repetition meet at one narrow door, src/datapath/datapath.ts. */
const FORBIDDEN: Readonly<Record<string, readonly string[]>> = {
  datapath: ['flowtable', 'ofproto', 'ovsdb'],
  flowtable: ['ovsdb', 'sys'],
};

const PACKAGES: Readonly<Record<string, (path: string) => boolean>> = {
  koffi: (path) => path === 'src/sys/libc.ts',
  'raw-socket': (path) => path === 'src/datapath/portable-sockets.ts',
  'ip-num': (path) => /^src\/(config|cli|unixctl|ofproto|packet|util)\//.test(path),
};

const partOf = (path: string): string => path.split('/')[1] as string;

/** What is wrong with one import, or undefined. */
const faultOf = (path: string, { target }: Import): string | undefined => {
  if (!target.startsWith('src/')) {
    if (target.startsWith('node:')) return undefined;
    if (PACKAGES[target]?.(path)) return undefined;
    return `${path} imports ${target}, which it must not`;
  }
  const from = partOf(path);
  const to = partOf(target);
  if ((LAYER[to] ?? 99) > (LAYER[from] ?? -1)) return `${path} imports upward: ${target}`;
  if (FORBIDDEN[from]?.includes(to))
    return `${path} imports ${target}: ${from} must not know ${to}`;
  return undefined;
};

const sources = filesUnder('src', /\.ts$/);

/** Files that reach themselves through imports of values, as paths from a file back to itself. */
const cycles = (files: readonly SourceFile[]): string[] => {
  const graph = new Map(
    files.map((file) => [
      file.path,
      importsOf(file)
        .filter(({ typeOnly }) => !typeOnly)
        .map(({ target }) => target),
    ]),
  );
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) found.push([...trail.slice(at), path].join(' -> '));
    if (at >= 0 || done.has(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return found;
};

/** The way by imports of values from a file to another, empty when there is none. */
const wayTo = (from: string, to: string): string[] => {
  const found = new Map<string, string | null>([[from, null]]);
  for (const path of found.keys()) {
    if (path === to) {
      const way = [path];
      for (let at = found.get(path); at != null; at = found.get(at)) way.unshift(at);
      return way;
    }
    const file = sources.find((one) => one.path === path);
    for (const { target, typeOnly } of file === undefined ? [] : importsOf(file)) {
      if (!typeOnly && !found.has(target)) found.set(target, path);
    }
  }
  return [];
};

describe('layers', () => {
  it('has a place for every folder and file of src', () => {
    const parts = new Set(sources.map(({ path }) => partOf(path)));
    expect([...parts].filter((part) => LAYER[part] === undefined)).toEqual([]);
    expect(sources.length).toBeGreaterThan(10);
  });

  it('lets a file import downward or sideways only', () => {
    const faults = sources.flatMap((file) =>
      importsOf(file).flatMap((one) => faultOf(file.path, one) ?? []),
    );
    expect(faults).toEqual([]);
  });

  it('has no file that imports itself through others', () => {
    expect(cycles(sources)).toEqual([]);
  });

  it('keeps native code out of the library', () => {
    expect(wayTo('src/library/create-switch.ts', 'src/sys/libc.ts')).toEqual([]);
    expect(wayTo('src/main.ts', 'koffi').at(-2)).toBe('src/sys/libc.ts');
  });

  it('notices an upward import, a forbidden one and a stray package', () => {
    const imports = importsOf({
      path: 'src/datapath/x.ts',
      text: "import { a } from '../ofproto/a.ts';\nimport type { b } from '../ovsdb/b.ts';\nimport c from 'koffi';\nexport { d } from '../util/d.ts';\nimport {\n  e,\n} from '../main.ts';\n",
    });
    expect(imports.map((one) => faultOf('src/datapath/x.ts', one))).toEqual([
      'src/datapath/x.ts imports upward: src/ofproto/a.ts',
      'src/datapath/x.ts imports src/ovsdb/b.ts: datapath must not know ovsdb',
      'src/datapath/x.ts imports koffi, which it must not',
      undefined,
      'src/datapath/x.ts imports upward: src/main.ts',
    ]);
  });

  it('notices a cycle', () => {
    const a = { path: 'src/util/a.ts', text: "import { b } from './b.ts';" };
    const b = { path: 'src/util/b.ts', text: "import { a } from './a.ts';" };
    const typed = { path: 'src/util/b.ts', text: "import type { a } from './a.ts';" };
    expect(cycles([a, b])).toEqual(['src/util/a.ts -> src/util/b.ts -> src/util/a.ts']);
    expect(cycles([a, typed])).toEqual([]);
  });
});
