/**
 * The same commands of ovs-ofctl(8) against Open vSwitch and against this switch: output, errors and exit statuses are equal but for times and
 * ids. LAB_EVERY_VERSION=1 runs all of them in all versions, which takes some minutes. And the same wrong messages to both, whose answers are
 * recorded for the unit test.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { badMessages, exchange } from '../ofproto/openflow/raw-exchange.ts';
import { EVERY, type OfVersionName } from './ofctl/section.ts';
import { linesOf, SECTIONS } from './ofctl/sections.ts';
import { type Outcome, ovsOfctl, SCHEMA, Side, tsOfctl } from './support/ofctl-side.ts';
import { inRepository } from './support/repository.ts';

const USUAL: readonly OfVersionName[] = ['OpenFlow10', 'OpenFlow13', 'OpenFlow14'];
const EMPTY = ['del-flows br0', 'del-groups br0', 'del-meters br0'];
const isThere = spawnSync('ovs-vswitchd', ['--version']).status === 0 && existsSync(SCHEMA);

let theirs: Side;
let ours: Side;
let byTheirs: Side;
let byOurs: Side;
beforeAll(() => {
  if (!isThere) return;
  theirs = new Side('ovs-vswitchd', ovsOfctl);
  ours = new Side(inRepository('bin/ts-vswitchd'), ovsOfctl);
  // The clients have a switch each: settings of tables stay.
  byTheirs = new Side(inRepository('bin/ts-vswitchd'), ovsOfctl);
  byOurs = new Side(inRepository('bin/ts-vswitchd'), tsOfctl);
}, 60_000);
afterAll(() => {
  theirs?.stop();
  ours?.stop();
  byTheirs?.stop();
  byOurs?.stop();
});

async function outcomes(side: Side, version: OfVersionName, lines: readonly string[]) {
  for (const line of EMPTY) await side.ofctl('OpenFlow14', line);
  const all: Outcome[] = [];
  for (const line of lines) all.push(await side.ofctl(version, line));
  return all;
}

// First, while nothing that cannot be undone was done to the switches.
describe.skipIf(!isThere)('messages that are wrong get the recorded answers', () => {
  const empty = async (side: Side): Promise<void> => {
    for (const line of EMPTY) await side.ofctl('OpenFlow14', line);
  };

  test.each([1, 4, 5, 6])('in version %i', async (version) => {
    const messages = badMessages(version);
    const answers = async (side: Side): Promise<string[]> => {
      await empty(side);
      const path = `${side.directory}/br0.mgmt`;
      const got = await exchange(
        path,
        version,
        messages.map(({ bytes }) => bytes),
      );
      return got.map((answer, i) => `${messages[i].what}: ${answer}`);
    };
    expect(await answers(theirs)).toEqual(messages.map((m) => `${m.what}: ${m.theirs}`));
    expect(await answers(ours)).toEqual(messages.map((m) => `${m.what}: ${m.ours}`));
  });
});

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

/** Sections whose lines the client of ours takes as the original's does. */
const CLIENT = [
  'bundles',
  'packet-out',
  'files of flows',
  'table settings',
  'cookies, timeouts, flags, priorities and order',
];
/** Lines of them that it takes differently: features that only we have, actions that it leaves to the switch, and ties of sorting. */
const CLIENT_DIFFERS =
  /dump-table-(features|desc)|actions=(meter:99,1|goto_table:1)$|in_port=1,tcp,packet|^diff-flows .*\.\/flows|--sort=(in_port|tcp_src)|^-v0/;

describe.skipIf(!isThere)('ts-ofctl says the same as ovs-ofctl', () => {
  for (const version of ['OpenFlow13', 'OpenFlow14'] as const) {
    test.each(CLIENT)(`${version}: %s`, async (title) => {
      const lines = SECTIONS.filter((section) => section.title === title).flatMap(linesOf);
      const [expected, got] = await Promise.all([
        outcomes(byTheirs, version, lines),
        outcomes(byOurs, version, lines),
      ]);
      // Its own words about what it does not understand are its own; errors of the switch are not.
      const told = ({ line, status, out, err }: Outcome, like: Outcome) => ({
        line,
        status,
        out,
        err: /^(OFPT_ERROR|Error)/.test(like.err[0]) ? err : [],
      });
      const compared = expected.map((one, i) => [told(one, one), told(got[i], one)]);
      const wanted = compared.filter(([{ line }]) => !CLIENT_DIFFERS.test(line));
      expect(wanted.map(([, mine]) => mine)).toEqual(wanted.map(([original]) => original));
    });
  }
});
