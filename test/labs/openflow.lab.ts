/**
 * The same commands of ovs-ofctl(8) against Open vSwitch and against this switch: output, errors and exit statuses are equal but for times and
 * ids. LAB_EVERY_VERSION=1 runs all of them in all versions, which takes some minutes.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EVERY, type OfVersionName } from './ofctl/section.ts';
import { linesOf, SECTIONS } from './ofctl/sections.ts';
import { type Outcome, SCHEMA, Side } from './support/ofctl-side.ts';
import { inRepository } from './support/repository.ts';

const USUAL: readonly OfVersionName[] = ['OpenFlow10', 'OpenFlow13', 'OpenFlow14'];
const EMPTY = ['del-flows br0', 'del-groups br0', 'del-meters br0'];
const isThere = spawnSync('ovs-vswitchd', ['--version']).status === 0 && existsSync(SCHEMA);

let theirs: Side;
let ours: Side;
beforeAll(() => {
  if (!isThere) return;
  theirs = new Side('ovs-vswitchd');
  ours = new Side(inRepository('bin/ts-vswitchd'));
}, 60_000);
afterAll(() => {
  theirs?.stop();
  ours?.stop();
});

async function outcomes(side: Side, version: OfVersionName, lines: readonly string[]) {
  for (const line of EMPTY) await side.ofctl('OpenFlow14', line);
  const all: Outcome[] = [];
  for (const line of lines) all.push(await side.ofctl(version, line));
  return all;
}

/** Without Open vSwitch there is nothing to compare with. */
describe.skipIf(!isThere)('ovs-ofctl says the same of both', () => {
  for (const version of EVERY) {
    describe(version, () => {
      for (const section of SECTIONS) {
        const { title, versions = USUAL, isOurs = false } = section;
        const wanted = process.env.LAB_EVERY_VERSION === '1' || versions.includes(version);
        if (!wanted || isOurs) continue;
        test(title, async () => {
          const lines = linesOf(section);
          const [expected, got] = await Promise.all([
            outcomes(theirs, version, lines),
            outcomes(ours, version, lines),
          ]);
          expect(got).toEqual(expected);
        });
      }
    });
  }
});
