/**
 * The same command lines of ovs-vsctl(8) through the original client and ours, each on the original server and the embedded one: the four
 * outputs, messages and exit statuses are equal but for UUIDs, times and the program's name, and so are the databases at the end.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import { inRepository } from './support/repository.ts';
import {
  ovsVsctl,
  type Printed,
  SCHEMA,
  tsVsctl,
  tsVsctlProgram,
  VsctlSide,
} from './support/vsctl-side.ts';
import { BRIDGE_SECTIONS } from './vsctl/bridge-lines.ts';
import { OPTION_SECTIONS } from './vsctl/option-lines.ts';
import { linesOf, words } from './vsctl/section.ts';
import { SETTING_SECTIONS } from './vsctl/setting-lines.ts';
import { TABLE_SECTIONS } from './vsctl/table-lines.ts';

const SECTIONS = [...OPTION_SECTIONS, ...BRIDGE_SECTIONS, ...SETTING_SECTIONS, ...TABLE_SECTIONS];
const LEAST_LINES = 400;

const isThere =
  spawnSync('ovs-vsctl', ['--version']).status === 0 &&
  spawnSync('ovsdb-server', ['--version']).status === 0 &&
  existsSync(SCHEMA);

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** What is compared with ovs-vsctl on ovsdb-server. */
const OTHERS = ['ts-vsctl on ovsdb-server', 'ovs-vsctl on the embedded server', 'ts-vsctl on it'];

/** Where the order of rows follows their UUIDs, lines are compared as a set. */
const isUnordered = (line: string): boolean =>
  /\b(show|list|find|emer-reset|br-get-external-id)\b/.test(line);

const plain = (text: string, side: VsctlSide): string =>
  text
    .replaceAll(side.directory, '<directory>')
    .replaceAll(UUID, '<uuid>')
    // Shortened in HTML.
    .replaceAll(/(<uuid>">)[0-9a-f]{8}/g, '$1<start>')
    .replaceAll(/^\d{4}-\d\d-\d\dT[\d:]+Z/gm, '<time>')
    .replaceAll('ts-vsctl', 'ovs-vsctl');

interface Outcome {
  readonly line: string;
  readonly status: number;
  readonly out: readonly string[];
  readonly err: string;
}

function outcome(line: string, { status, out, err }: Printed, side: VsctlSide): Outcome {
  // A line of --oneline holds several.
  const lines = plain(out, side).split(/\n|\\n/);
  return {
    line,
    status,
    out: isUnordered(line) ? lines.sort() : lines,
    err: plain(err, side),
  };
}

async function outcomes(side: VsctlSide, lines: readonly string[]): Promise<readonly Outcome[]> {
  const all: Outcome[] = [];
  for (const line of lines) all.push(outcome(line, await side.run(words(line)), side));
  const dump = await side.dump();
  all.push(outcome('show', { status: 0, out: dump, err: '' }, side));
  return all;
}

const FOUR = () => [
  new VsctlSide('ovsdb-server', ovsVsctl),
  new VsctlSide('ovsdb-server', tsVsctl),
  new VsctlSide('embedded', ovsVsctl),
  new VsctlSide('embedded', tsVsctl),
];

async function withSides(
  sides: readonly VsctlSide[],
  work: (sides: readonly VsctlSide[]) => Promise<void>,
  isEmpty = false,
): Promise<void> {
  try {
    await Promise.all(sides.map((side) => side.start(isEmpty)));
    await work(sides);
  } finally {
    for (const side of sides) side.stop();
  }
}

test('the table is long enough', () => {
  const count = SECTIONS.reduce((sum, section) => sum + linesOf(section).length, 0);
  expect(count).toBeGreaterThanOrEqual(LEAST_LINES);
});

describe.skipIf(!isThere)('ts-vsctl and ovs-vsctl, on both servers', () => {
  test.each(SECTIONS.map((section) => [section.title, section] as const))(
    '%s',
    async (_title, section) => {
      await withSides(FOUR(), async (sides) => {
        const lines = linesOf(section);
        const [expected, ...others] = await Promise.all(sides.map((side) => outcomes(side, lines)));
        for (const [i, got] of others.entries()) {
          // Only the lines that differ, or the report would be of some thousand lines.
          const differ = expected.flatMap((one, at) =>
            isDeepStrictEqual(one, got[at]) ? [] : [at],
          );
          expect(
            differ.map((at) => got[at]),
            OTHERS[i],
          ).toEqual(differ.map((at) => expected[at]));
        }
      });
    },
  );

  test('a database without any row', async () => {
    const section = BRIDGE_SECTIONS[0];
    await withSides(
      FOUR().slice(0, 2),
      async (sides) => {
        const [expected, got] = await Promise.all(
          sides.map((side) => outcomes(side, linesOf(section))),
        );
        expect(got).toEqual(expected);
      },
      true,
    );
  });

  test('the program is the same as within a process', async () => {
    const program = tsVsctlProgram(inRepository('bin/ts-vsctl'));
    const lines = [
      'add-br br0 -- add-port br0 p1 tag=3',
      'add-port br0 bad1',
      'show',
      'br-exists nope',
      'get port p1 nope',
      '-vPATTERN:console:%c|%p|%m --id=@m create mirror name=x',
      '--db=unix:/nonexistent list-br',
      '--foo',
      'list interface p1',
    ];
    const sides = [new VsctlSide('ovsdb-server', ovsVsctl), new VsctlSide('embedded', program)];
    await withSides(sides, async () => {
      const [expected, got] = await Promise.all(sides.map((side) => outcomes(side, lines)));
      expect(got).toEqual(expected);
      const waits = ['--timeout=1', 'wait-until', 'bridge', 'nope'];
      const [theirs, ours] = await Promise.all(sides.map((side) => side.run(waits)));
      expect(ours.signal).toBe('SIGALRM');
      expect(ours.signal).toBe(theirs.signal);
      expect(plain(ours.err, sides[1])).toBe(plain(theirs.err, sides[0]));
    });
  });

  test('by TLS', async () => {
    const sides = FOUR().slice(0, 2);
    await withSides(sides, async () => {
      const port = await sides[0].listenSecurely();
      for (const file of ['ca.pem', 'client.pem', 'client.key']) {
        copyFileSync(join(sides[0].directory, file), join(sides[1].directory, file));
      }
      const db = `--db=ssl:127.0.0.1:${port}`;
      const own = `${db} -p client.key -c client.pem`;
      const lines = [
        `${own} -C ca.pem get open . next_cfg`,
        `${own} -C none get open . next_cfg`,
        `${own} --bootstrap-ca-cert=boot.pem get open . next_cfg`,
        `${own} --bootstrap-ca-cert=boot.pem get open . next_cfg`,
        `--retry ${own} --bootstrap-ca-cert=boot2.pem get open . next_cfg`,
        `${own} -C client.pem list-br`,
        `${own} list-br`,
        `${db} -p nope -c client.pem -C ca.pem list-br`,
        `${db} -p client.key -c nope -C ca.pem list-br`,
        `${own} -C nope list-br`,
        `${own} -C ca.pem --ssl-protocols=TLSv1.2 get open . next_cfg`,
        `${own} -C ca.pem --ssl-protocols=TLSv1.2,TLSv1.1 get open . next_cfg`,
        `${own} -C ca.pem --ssl-protocols=foo get open . next_cfg`,
        `${own} -C ca.pem --ssl-ciphers=HIGH get open . next_cfg`,
        `${own} -C ca.pem --ssl-ciphers=foo get open . next_cfg`,
        `${own} -C ca.pem --peer-ca-cert=ca.pem get open . next_cfg`,
        `${own} -C ca.pem --peer-ca-cert=nope get open . next_cfg`,
        '-p nope get open . next_cfg',
        `--db=tcp:127.0.0.1:${port} list-br`,
      ];
      const [expected, got] = await Promise.all(sides.map((side) => outcomes(side, lines)));
      expect(got).toEqual(expected);
      expect(got[0]).toMatchObject({ status: 0, out: ['0', ''] });
    });
  });

  test('both know the same commands and options', async () => {
    const sides = FOUR().slice(0, 2);
    await withSides(sides, async ([theirs, ours]) => {
      for (const what of ['--commands', '--options']) {
        const [expected, got] = await Promise.all([theirs.run([what]), ours.run([what])]);
        expect(got.out.split('\n').sort()).toEqual(expected.out.split('\n').sort());
      }
      const [expected, got] = await Promise.all([theirs.run(['-V']), ours.run(['-V'])]);
      expect(plain(got.out, ours).split('\n').slice(0, 2)).toEqual(
        expected.out.split('\n').slice(0, 2),
      );
      const help = await ours.run(['--help']);
      for (const line of got.out.split('\n')) expect(line).not.toContain('undefined');
      expect(help.status).toBe(0);
    });
  });

  test('who changes the same at the same time loses nothing', async () => {
    await withSides(FOUR(), async (sides) => {
      for (const side of sides) {
        await side.run(words('add-br br0'));
        const names = Array.from({ length: 24 }, (_, i) => `p${String(i).padStart(2, '0')}`);
        const added = await Promise.all(
          names.map((name, i) =>
            side.run([
              'add-port',
              'br0',
              name,
              '--',
              'add',
              'bridge',
              'br0',
              'flood_vlans',
              `${i}`,
            ]),
          ),
        );
        expect(added.map(({ status, err }) => `${status}${err}`)).toEqual(names.map(() => '0'));
        const { out } = await side.run([
          'list-ports',
          'br0',
          '--',
          'get',
          'bridge',
          'br0',
          'flood_vlans',
        ]);
        expect(out).toBe(`${names.join('\n')}\n[${names.map((_, i) => i).join(', ')}]\n`);
      }
    });
  });
});
