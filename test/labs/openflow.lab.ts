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

/** Sections of which the clients are compared in each of these versions; their own words included. */
const CLIENT = SECTIONS.filter(({ isOurs = false }) => !isOurs);
const CLIENT_VERSIONS: readonly OfVersionName[] =
  process.env.LAB_EVERY_VERSION === '1'
    ? ['OpenFlow10', 'OpenFlow13', 'OpenFlow14']
    : ['OpenFlow10', 'OpenFlow13'];
/** Lines that the clients take differently. */
const CLIENT_DIFFERS = new RegExp(
  [
    // Fields and actions that only we have, or can set.
    ...['copy_ttl', 'push_pbb', 'exthdr', '->mpls_bos', '->eth_type', '->ip_proto'],
    // The original's mistakes: masks of set_field in 1.0, ids without their present bit, and words that it does not look at.
    ...['set_field:[^>]*/', 'set_field:5->vlan_vid', 'vlan_vid=', 'selection_method=magic'],
    ...['group_id=4$', 'clone\\($', 'write_actions\\((drop|\\)|controller|learn)'],
    // What we leave to the switch.
    ...[
      'resubmit\\(,5,ct\\)',
      'learn\\(table=1,nw_src',
      'ct\\(commit,zone=1,table=2',
      'dec_nsh_ttl',
    ],
    // Order and times.
    ...['--sort=(in_port|tcp_src)', 'selection_method_param=7', 'queue-get-config', 'benchmark'],
    ...['dump-table-(features|desc)', '^show', 'mod-port', 'dump-ports', '^-v0'],
  ].join('|'),
);

/** Lines of which only whether they succeed is compared: what the switch refuses there is refused before it is asked, or the reverse. */
const STATUS_ONLY = /^(\+|add-group|packet-out|bundle|mod-table|(insert|remove)-buckets|add-meter)/;

describe.skipIf(!isThere)('ts-ofctl says the same as ovs-ofctl', () => {
  for (const version of CLIENT_VERSIONS) {
    // Matches of VLANs that 1.0 itself cannot say are sent in another form by the original, which the switches store otherwise.
    const sections = CLIENT.filter(
      ({ title }) => version !== 'OpenFlow10' || title !== 'match fields of the frame',
    );
    test.each(sections)(`${version}: $title`, async (section) => {
      const lines = linesOf(section).filter((line) => !CLIENT_DIFFERS.test(line));
      const [expected, got] = await Promise.all([
        outcomes(byTheirs, version, lines),
        outcomes(byOurs, version, lines),
      ]);
      const told = ({ line, status, out, err }: Outcome): Outcome => ({
        line,
        status,
        out,
        err: STATUS_ONLY.test(line) ? [] : err.filter((one) => !/^$|^\w+\|(WARN|INFO)\|/.test(one)),
      });
      expect(got.map(told)).toEqual(expected.map(told));
    });
  }
});
