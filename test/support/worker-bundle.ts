/** The worker's bundle for tests that run from source: built when it is missing or older than any source file. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('../../', import.meta.url));
const bundle = join(root, 'dist/worker.js');

/** Path of an up-to-date dist/worker.js. Safe to call from several test processes at once. */
export async function workerBundle(): Promise<string> {
  if (existsSync(bundle) && statSync(bundle).mtimeMs > newestSource()) return bundle;
  const startedMs = new Date();
  const dir = mkdtempSync(join(root, '.worker-'));
  try {
    const build = await rolldown({
      input: { worker: join(root, 'src/datapath/worker.ts') },
      platform: 'node',
      external: ['koffi', 'raw-socket'],
    });
    await build.write({ dir, format: 'esm', entryFileNames: '[name].js', codeSplitting: false });
    await build.close();
    mkdirSync(join(root, 'dist'), { recursive: true });
    // A source written while the bundle was built makes the bundle out of date.
    utimesSync(join(dir, 'worker.js'), startedMs, startedMs);
    renameSync(join(dir, 'worker.js'), bundle);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return bundle;
}

function newestSource(): number {
  let newest = 0;
  for (const folder of ['datapath', 'packet', 'sys', 'util']) {
    for (const file of readdirSync(join(root, 'src', folder))) {
      newest = Math.max(newest, statSync(join(root, 'src', folder, file)).mtimeMs);
    }
  }
  return newest;
}
