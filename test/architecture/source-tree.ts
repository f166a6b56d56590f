/** The source files of the repository as data: path, text and imports, for the tests that judge the whole tree. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));

export interface SourceFile {
  /** Relative to the repository, with slashes: `src/datapath/port.ts`. */
  readonly path: string;
  readonly text: string;
}

export interface Import {
  /** A path relative to the repository, or the name of a package. */
  readonly target: string;
  readonly typeOnly: boolean;
}

const SKIPPED = new Set(['node_modules', 'dist', '.git', '.cache', 'coverage', 'results']);

/** All files under a folder whose name matches, sorted. */
export const filesUnder = (folder: string, pattern: RegExp): SourceFile[] => {
  const found: SourceFile[] = [];
  const visit = (path: string): void => {
    for (const entry of readdirSync(join(root, path), { withFileTypes: true })) {
      if (SKIPPED.has(entry.name)) continue;
      const child = path === '' ? entry.name : `${path}/${entry.name}`;
      if (entry.isDirectory()) visit(child);
      else if (pattern.test(entry.name))
        found.push({ path: child, text: readFileSync(join(root, child), 'utf8') });
    }
  };
  visit(folder);
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
};

const IMPORT = /^(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm;
const DYNAMIC = /\b(?:import|new URL)\(\s*'([^']+)'/g;

/** What a file imports, statically or dynamically. */
export const importsOf = (file: SourceFile): Import[] => {
  const resolve = (target: string): string =>
    target.startsWith('.')
      ? normalize(join(dirname(file.path), target))
          .split(sep)
          .join('/')
      : target;
  const imports: Import[] = [];
  for (const match of file.text.matchAll(IMPORT))
    imports.push({ target: resolve(match[2] as string), typeOnly: match[1] !== undefined });
  for (const match of file.text.matchAll(DYNAMIC))
    imports.push({ target: resolve(match[1] as string), typeOnly: false });
  return imports;
};
