/**
 * What every other script starts with: bring the machine to the point where the project builds and runs.
 *
 * Plain JavaScript without dependencies, because right after `git clone` there is no node_modules. Whatever
 * is missing is installed and named; where that is impossible (no root, no network, no apt) the message
 * says what to install by hand.
 */
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository, with a slash at its end. */
export const root = fileURLToPath(new URL('../', import.meta.url));

// Root's PATH in a cron job or after `su` may lack the folders of system programs.
process.env.PATH = [process.env.PATH, '/usr/local/sbin', '/usr/sbin', '/sbin'].join(delimiter);

export const say = (text) => console.log(`ts-vswitch: ${text}`);

/** Ends the script with an explanation instead of a stack trace. */
export const giveUp = (text) => {
  console.error(`ts-vswitch: ${text}`);
  process.exit(1);
};

/** Runs a program with the terminal as its own; ends the script when it fails. */
export const must = (program, args, options = {}) => {
  const { status, error } = spawnSync(program, args, { cwd: root, stdio: 'inherit', ...options });
  if (status === 0) return;
  giveUp(
    options.advice ??
      `\`${[program, ...args].join(' ')}\` failed${error ? `: ${error.message}` : ''}`,
  );
};

/** True when the program is in PATH. */
export const hasProgram = (name) =>
  process.env.PATH.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

/** Programs that the switch needs at run time, and the Debian packages that bring them. */
export const RUN_PACKAGES = {
  ip: 'iproute2',
};

/** Programs that the tests, the demo and the benchmarks need besides: Open vSwitch's among them, to compare with. */
export const TEST_PACKAGES = {
  ...RUN_PACKAGES,
  'ovs-vsctl': 'openvswitch-common',
  'ovsdb-tool': 'openvswitch-common',
  'ovsdb-server': 'openvswitch-switch',
  'ovs-vswitchd': 'openvswitch-switch',
  unshare: 'util-linux',
  ping: 'iputils-ping',
  iperf3: 'iperf3',
  tcpdump: 'tcpdump',
  ethtool: 'ethtool',
  dnsmasq: 'dnsmasq-base',
  busybox: 'busybox-static',
  iptables: 'iptables',
  brctl: 'bridge-utils',
  ifconfig: 'net-tools',
  trafgen: 'netsniff-ng',
  'qemu-system-x86_64': 'qemu-system-x86',
};

const lockedVersions = (file) => {
  try {
    const { packages } = JSON.parse(readFileSync(join(root, file), 'utf8'));
    return Object.fromEntries(
      Object.entries(packages).map(([path, { version, optional }]) => [
        path,
        optional ? '' : version,
      ]),
    );
  } catch {
    return undefined;
  }
};

/** Installs the npm packages of the lock file unless exactly these are installed. */
export const ensureNodePackages = () => {
  const wanted =
    lockedVersions('package-lock.json') ?? giveUp('package-lock.json is missing or broken');
  const installed = lockedVersions('node_modules/.package-lock.json');
  const missing = Object.entries(wanted).filter(
    ([path, version]) => path !== '' && version !== '' && installed?.[path] !== version,
  );
  if (missing.length === 0) return;
  say(`installing ${missing.length} npm packages (npm ci)`);
  must('npm', ['ci', '--include=dev'], {
    advice:
      'npm ci failed. It needs the npm registry once; run it where the network is, then start again.',
  });
};

/**
 * Installs the Debian packages whose programs are missing. Open vSwitch's own services must not start:
 * they would take the places of the switch that is about to run, so policy-rc.d holds them back meanwhile.
 */
export const ensureDebianPackages = (packages) => {
  const missing = Object.keys(packages).filter((program) => !hasProgram(program));
  if (missing.length === 0) return;
  const names = [...new Set(missing.map((program) => packages[program]))];
  const byHand = `install by hand: apt-get install --no-install-recommends ${names.join(' ')}`;
  if (!hasProgram('apt-get'))
    giveUp(
      `these programs are missing and there is no apt-get to install them: ${missing.join(', ')}`,
    );
  if (process.getuid() !== 0)
    giveUp(`${missing.join(', ')} missing, and only root can install: ${byHand}`);

  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const lists = '/var/lib/apt/lists';
  const fresh =
    existsSync(lists) &&
    readdirSync(lists).some((name) => name.endsWith('_Packages') || name.endsWith('.lz4'));
  if (!fresh) {
    say('fetching the package lists (apt-get update)');
    must('apt-get', ['update', '-qq'], {
      env,
      advice: `apt-get update failed. Without network, ${byHand}`,
    });
  }
  say(`installing ${names.join(' ')} (apt-get install)`);
  const policy = '/usr/sbin/policy-rc.d';
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  const install = () =>
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], {
      stdio: ['ignore', 'inherit', 'inherit'],
      env,
    }).status;
  let status = install();
  // Old lists name packages that the mirror has replaced since.
  if (
    status !== 0 &&
    spawnSync('apt-get', ['update', '-qq'], { stdio: 'inherit', env }).status === 0
  )
    status = install();
  if (ours) rmSync(policy);
  if (status !== 0) giveUp(`apt-get install failed. ${byHand}`);
};

/** Bundles the daemon into dist/. */
export const build = () => {
  say('building');
  must('npm', ['run', '--silent', 'build']);
};
