import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runAppctl } from '../../src/cli/appctl/client.ts';
import { APPCTL_SPECS } from '../../src/cli/appctl/options.ts';
import type { OptionSpec } from '../../src/cli/getopt.ts';
import { runOfctl } from '../../src/cli/ofctl/client.ts';
import { OFCTL_SPECS } from '../../src/cli/ofctl/options.ts';
import { DAEMON_SPECS, pathsFrom } from '../../src/cli/options.ts';
import { helpText as daemonHelp } from '../../src/cli/usage.ts';
import { helpText as vsctlHelp } from '../../src/cli/vsctl/help.ts';
import { GLOBAL_SPECS } from '../../src/cli/vsctl/options.ts';
import { RealClock } from '../../src/util/real-clock.ts';
import { Vlog } from '../../src/util/vlog.ts';
import { root } from '../architecture/source-tree.ts';

const page = (name: string): string => readFileSync(join(root, `doc/${name}.8.md`), 'utf8');

/** What a client prints for --help. */
async function printed(run: (print: (text: string) => void) => Promise<number>): Promise<string> {
  let text = '';
  expect(
    await run((more) => {
      text += more;
    }),
  ).toBe(0);
  return text;
}

const nothing = (): never => {
  throw new Error('not for --help');
};

const appctlHelp = () =>
  printed((print) =>
    runAppctl(['--help'], {
      env: {},
      print,
      complain: print,
      alarm: nothing,
      vlog: new Vlog({
        clock: new RealClock(),
        origin: { application: '', subprogram: '', pid: 1, hostname: '' },
        console: nothing,
      }),
      readPidfile: nothing,
      withDirectory: nothing,
    }),
  );
const ofctlHelp = () =>
  printed((print) =>
    runOfctl(['--help'], {
      env: {},
      isTerminal: false,
      print,
      complain: print,
      alarm: nothing,
      readFile: nothing,
    }),
  );

const PROGRAMS: readonly [string, readonly OptionSpec[], () => Promise<string>][] = [
  ['ts-vswitchd', DAEMON_SPECS, async () => daemonHelp(pathsFrom({}))],
  ['ts-appctl', APPCTL_SPECS, appctlHelp],
  ['ts-ofctl', OFCTL_SPECS, ofctlHelp],
  ['ts-vsctl', GLOBAL_SPECS, async () => vsctlHelp()],
];

/** Options as `--name`, and `-x` beside it. */
const optionsOf = (specs: readonly OptionSpec[]): string[] =>
  specs.flatMap(({ name, short }) => [`--${name}`, ...(short === undefined ? [] : [`-${short}`])]);

/** The terms of the list under OPTIONS. */
const optionsOnPage = (text: string): string[] => {
  const [, section = ''] = /\n## OPTIONS\n(.*?)\n## /s.exec(text) ?? [];
  const terms = [...section.matchAll(/^- ((?:`[^`]+`(?:, )?)+):/gm)].flatMap(([, list]) => [
    ...list.matchAll(/`(--?[A-Za-z-]+)/g),
  ]);
  return terms.map(([, option]) => option);
};

describe.each(PROGRAMS)('%s', (name, specs, help) => {
  it('takes the options of its page, and no others', () => {
    expect(optionsOnPage(page(name)).sort()).toEqual(optionsOf(specs).sort());
  });

  it('names all of its options in --help, and no others', async () => {
    const text = await help();
    const named = new Set([...text.matchAll(/(?<![A-Za-z-])--?[A-Za-z][a-z-]*/g)].map(String));
    const missing = optionsOf(specs).filter((option) => !named.has(option));
    // Of -vSPEC the letter counts.
    expect(missing.filter((option) => !text.includes(`${option}SPEC`))).toEqual([]);
    const long = [...named].filter((option) => option.startsWith('--'));
    const known = optionsOf(specs);
    const ofCommands =
      /--(may-exist|if-exists|columns|id|all|real|fake|inactivity-probe|bootstrap)$/;
    expect(long.filter((o) => !known.includes(o) && !ofCommands.test(o))).toEqual([]);
  });

  it('is described by a page with the parts that such pages have', () => {
    const heads = [...page(name).matchAll(/^## (.*)$/gm)].map(([, head]) => head);
    expect(heads).toEqual(
      expect.arrayContaining(['NAME', 'SYNOPSIS', 'DESCRIPTION', 'OPTIONS', 'DIFFERENCES']),
    );
    expect(page(name)).toContain(`\n## NAME\n\n${name} - `);
  });
});

it('pages become what man(1) reads', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsv-man-'));
  try {
    execFileSync(process.execPath, [join(root, 'scripts/man.mjs'), folder]);
    for (const [name, specs] of PROGRAMS) {
      const text = readFileSync(join(folder, `${name}.8`), 'utf8');
      expect(text.split('\n')[0]).toMatch(new RegExp(`^\\.TH ${name.toUpperCase()} 8 `));
      expect(text).not.toMatch(/`|\*\*|^#/m);
      const terms = text.match(/^\.TP$/gm) ?? [];
      expect(terms.length).toBeGreaterThan(specs.length / 2);
      expect(text).toContain('\\fB\\-\\-help\\fR');
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
