/**
 * `npm test`: everything that must hold, from a bare machine on. Installs, builds, then runs the static
 * checks, the whole vitest suite and the labs, and prints `N passed, N failed` alone on its last line.
 *
 * Each static check counts as one test. No test at all is a failure, too.
 * `node scripts/test.mjs checks|unit|labs` runs one of the three parts.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import {
  build,
  ensureDebianPackages,
  ensureNodePackages,
  giveUp,
  root,
  say,
  TEST_PACKAGES,
} from './setup.mjs';

const LIMIT_MS = 14 * 60_000;
const total = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
const fail = (what) => {
  total.failed++;
  failures.push(what);
};

const bin = (name) => join(root, 'node_modules/.bin', name);

const check = (title, program, args) => {
  say(title);
  const { status } = spawnSync(program, args, { cwd: root, stdio: 'inherit', timeout: LIMIT_MS });
  if (status === 0) total.passed++;
  else fail(title);
};

const suite = (title, args) => {
  say(title);
  const report = join(root, 'dist', `report-${process.pid}.json`);
  const { status } = spawnSync(
    bin('vitest'),
    ['run', ...args, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
    { cwd: root, stdio: 'inherit', timeout: LIMIT_MS, env: { ...process.env, CI: '1' } },
  );
  const result = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : undefined;
  rmSync(report, { force: true });
  const before = total.failed;
  for (const file of result?.testResults ?? []) {
    const name = relative(root, file.name);
    // A file that does not load, or a hook that fails, has no failed test to count.
    if (file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'))
      fail(`${name}: ${file.message?.split('\n')[0] ?? 'did not run'}`);
    for (const test of file.assertionResults) {
      if (test.status === 'passed') total.passed++;
      else if (test.status === 'failed') fail(`${name}: ${test.fullName}`);
      else total.skipped++;
    }
  }
  if (result === undefined || result.numTotalTests === 0) fail(`${title}: no test ran`);
  else if (status !== 0 && total.failed === before)
    fail(`${title}: vitest ended with status ${status}`);
};

const parts = {
  checks: () => {
    check('format and lint (biome)', bin('biome'), ['ci', '.']);
    check('types (tsc)', bin('tsc'), ['--noEmit']);
    check('unused files and exports (knip)', bin('knip'), ['--no-progress']);
  },
  unit: () => suite('tests (vitest)', []),
  labs: () => suite('labs (vitest)', ['--config', 'vitest.labs.config.ts']),
};

const wanted = process.argv.slice(2);
for (const name of wanted)
  if (!(name in parts)) giveUp(`there is no part "${name}": ${Object.keys(parts).join(', ')}`);
if (process.getuid() !== 0)
  giveUp('the tests make network namespaces and must run as root: sudo npm test');
ensureNodePackages();
ensureDebianPackages(TEST_PACKAGES);
build();
mkdirSync(join(root, 'dist'), { recursive: true });
for (const name of wanted.length > 0 ? wanted : Object.keys(parts)) parts[name]();

if (failures.length > 0)
  console.log(`\nfailed:\n${failures.map((what) => `  ${what}`).join('\n')}\n`);
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
