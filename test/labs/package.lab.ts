/**
 * The package as a user gets it: made from a clean tree by `npm pack`, installed by `npm install -g` into a prefix of its own on a machine
 * without compiler, and started in its default places. Network: what npm fetches of the two dependencies, once.
 */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { addHost, pingsWithin } from './support/host.ts';
import { Machine } from './support/machine.ts';
import { inRepository } from './support/repository.ts';
import { isReference } from './support/switch.ts';

/** What stands in a clean clone and has to do with the package. */
const TREE = readdirSync(inRepository('.')).filter((name) =>
  /^(package(-lock)?\.json|tsconfig.*|rolldown\.config\.js|bin|src|doc|contrib|scripts|[A-Z]+(\.md)?)$/.test(
    name,
  ),
);
const COMPILERS = /^(cc|gcc|g\+\+|c\+\+|clang|make|gmake|python3?|node-gyp)(-\d+)?$/;

/** A folder with all programs of this machine's PATH, but for those that make programs. */
function withoutCompilers(folder: string): string {
  mkdirSync(folder);
  for (const from of (process.env.PATH ?? '').split(delimiter)) {
    if (!existsSync(from)) continue;
    for (const name of readdirSync(from)) {
      if (!COMPILERS.test(name) && !existsSync(join(folder, name))) {
        symlinkSync(join(from, name), join(folder, name));
      }
    }
  }
  return folder;
}

describe.skipIf(isReference())('the package', () => {
  const work = mkdtempSync(join(tmpdir(), 'tsv-package-'));
  const prefix = join(work, 'prefix');
  const installed = join(prefix, 'lib/node_modules/ts-vswitch');
  let files: string[] = [];
  let machine: Machine;

  beforeAll(async () => {
    const tree = join(work, 'tree');
    mkdirSync(tree);
    for (const name of TREE) {
      cpSync(inRepository(name), join(tree, name), { recursive: true, verbatimSymlinks: true });
    }
    symlinkSync(inRepository('node_modules'), join(tree, 'node_modules'));
    // What prepack prints comes in front of npm's own answer.
    const told = execFileSync('npm', ['pack', '--json', '--pack-destination', work], {
      cwd: tree,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [{ filename, files: packed }] = JSON.parse(told.slice(told.lastIndexOf('\n[') + 1)) as [
      { filename: string; files: { path: string }[] },
    ];
    files = packed.map(({ path }) => path);
    const env = { ...process.env, PATH: withoutCompilers(join(work, 'bin')) };
    execFileSync(
      'npm',
      ['install', '--global', '--prefix', prefix, '--prefer-offline', join(work, filename)],
      { cwd: work, env, stdio: ['ignore', 'ignore', 'inherit'] },
    );
    machine = await Machine.boot();
  }, 300_000);
  afterAll(async () => {
    await machine?.shutdown();
    rmSync(work, { recursive: true, force: true });
  });

  it('holds programs, their code, pages and the licence, and nothing else', () => {
    const folders = [...new Set(files.map((path) => path.split('/')[0]))].sort();
    expect(folders).toEqual(
      expect.arrayContaining(['LICENSE', 'README.md', 'bin', 'dist', 'doc', 'package.json']),
    );
    expect(files.filter((path) => /^(src|test|bench|scripts)\/|\.(ts|map)$/.test(path))).toEqual([
      'dist/types/api.d.ts',
    ]);
    const { bin } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
      bin: Record<string, string>;
    };
    expect(Object.keys(bin).sort()).toEqual(['ts-appctl', 'ts-ofctl', 'ts-vsctl', 'ts-vswitchd']);
    for (const name of Object.keys(bin)) {
      const told = execFileSync(join(prefix, 'bin', name), ['--version'], { encoding: 'utf8' });
      expect(told).toMatch(/ \(Open vSwitch\) \d+\.\d+\.\d+\n.*ts-vswitch \d+\.\d+\.\d+/s);
    }
  });

  it('switches', async () => {
    onTestFailed(() => console.error(machine.transcript()));
    const bin = join(prefix, 'bin');
    await machine.sh('mkdir -p /etc/openvswitch /var/log/openvswitch');
    machine.start(`${bin}/ts-vswitchd --pidfile --log-file -vconsole:off`);
    await machine.until(`${bin}/ts-appctl version`, undefined, 20_000);
    await machine.sh(`${bin}/ts-vsctl --timeout=10 add-br br0`);
    for (const n of [1, 2]) {
      await addHost(machine, { name: `h${n}`, port: `p${n}`, address: `10.0.0.${n}/24` });
      await machine.sh(
        `ip link set p${n} up && ${bin}/ts-vsctl --timeout=10 add-port br0 p${n} tag=10`,
      );
    }
    expect(await pingsWithin(machine, 'h1', '10.0.0.2', 5000)).toBe(true);
    expect(await machine.sh(`${bin}/ts-ofctl dump-flows br0`)).toContain('actions=NORMAL');
    expect(await machine.sh(`${bin}/ts-appctl fdb/show br0`)).toMatch(/ 10 +[0-9a-f:]{17} /);
    await machine.sh(`${bin}/ts-appctl exit --cleanup`);
  });

  it('can be imported, with types, and loads no native code', () => {
    const folder = join(work, 'program');
    mkdirSync(join(folder, 'node_modules'), { recursive: true });
    symlinkSync(installed, join(folder, 'node_modules/ts-vswitch'));
    const page = readFileSync(join(installed, 'doc/library.md'), 'utf8');
    const [, example = ''] = /```js\n(import .*?)```/s.exec(page) ?? [];
    writeFileSync(join(folder, 'example.mjs'), example);
    const preload = join(folder, 'no-addons.cjs');
    writeFileSync(preload, 'process.dlopen = () => { throw new Error("native code"); };');
    const told = execFileSync(process.execPath, ['--require', preload, 'example.mjs'], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(told).toMatch(/^1 0\npacket-in 1 action\n0 1\npriority=10,/);
    writeFileSync(
      join(folder, 'typed.ts'),
      "import { createSwitch, type PacketIn } from 'ts-vswitch';\nexport const names: string[] = createSwitch().addBridge('b').dumpFlows();\nexport const wrong: number = names;\nexport type P = PacketIn;\n",
    );
    const tsc = inRepository('node_modules/typescript/bin/tsc');
    const types = ['--types', 'node', '--typeRoots', inRepository('node_modules/@types')];
    const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', ...types];
    let faults = '';
    try {
      execFileSync(process.execPath, [tsc, ...flags, 'typed.ts'], { cwd: folder });
    } catch (error) {
      faults = String((error as { stdout?: Buffer }).stdout);
    }
    expect(faults.trim().split('\n')).toEqual([
      "typed.ts(3,14): error TS2322: Type 'string[]' is not assignable to type 'number'.",
    ]);
  });
});
