/**
 * Runs one of the project's TypeScript programs (the demo, the benchmarks): installs what it needs, bundles
 * daemon and program, and starts the bundle. `node scripts/run.mjs scripts/demo.ts [argument...]`
 *
 * Node 20 does not run TypeScript, and hot loops are measured in a bundle as the daemon runs them.
 */
import { spawn } from 'node:child_process';
import { basename, join } from 'node:path';
import {
  build,
  ensureDebianPackages,
  ensureNodePackages,
  giveUp,
  must,
  root,
  TEST_PACKAGES,
} from './setup.mjs';

const [program, ...args] = process.argv.slice(2);
if (program === undefined) giveUp('usage: node scripts/run.mjs PROGRAM.ts [argument...]');
ensureNodePackages();
ensureDebianPackages(TEST_PACKAGES);
build();
const bundle = join(root, 'dist/tools', `${basename(program, '.ts')}.js`);
must(process.execPath, [
  join(root, 'node_modules/rolldown/bin/cli.mjs'),
  program,
  ...['--platform', 'node', '--format', 'esm', '--file', bundle],
  // An option for each: a list behind commas leaves raw-socket in.
  ...['koffi', 'benchmark', 'raw-socket'].flatMap((name) => ['--external', name]),
  ...['--log-level', 'warn'],
]);
const child = spawn(process.execPath, [bundle, ...args], { stdio: 'inherit', cwd: root });
// The program decides what an interrupt means: it has namespaces to take down.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => undefined);
child.once('exit', (status) => process.exit(status ?? 1));
