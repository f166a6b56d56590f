/**
 * `npm start`: the switch in the foreground, on a machine that may have nothing but Node.
 *
 * Installs what is missing (nothing of Open vSwitch) and runs the daemon, which serves the database itself unless an ovsdb-server answers in Open
 * vSwitch's own place; ends it, by process id, on Ctrl-C.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  build,
  ensureDebianPackages,
  ensureNodePackages,
  giveUp,
  RUN_PACKAGES,
  root,
  say,
} from './setup.mjs';

const runDir = process.env.OVS_RUNDIR ?? '/var/run/openvswitch';
const dbDir = process.env.OVS_DBDIR ?? '/etc/openvswitch';
const logDir = process.env.OVS_LOGDIR ?? '/var/log/openvswitch';

const succeeds = (program, ...args) =>
  spawnSync(program, args, { stdio: 'ignore', timeout: 5000 }).status === 0;
const outputOf = (program, ...args) =>
  spawnSync(program, args, { encoding: 'utf8', timeout: 30_000 }).stdout?.trim() ?? '';

const started = [];

/** Starts a program in a session of its own, so that Ctrl-C reaches this script alone and it decides the order. */
const start = (program, args) => {
  const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'], detached: true });
  child.ended = new Promise((resolve) => {
    child.once('error', (error) => {
      say(`${program}: ${error.message}`);
      resolve(127);
    });
    child.once('exit', (status, signal) => resolve(status ?? (signal === 'SIGTERM' ? 0 : 1)));
  });
  started.push(child);
  return child;
};

/** Ends what was started, the last first; insists after five seconds. */
const endAll = async () => {
  for (const child of started.reverse()) {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) continue;
    child.kill('SIGTERM');
    const insist = setTimeout(() => child.kill('SIGKILL'), 5000);
    await child.ended;
    clearTimeout(insist);
  }
};

const answers = async (child, ...probe) => {
  for (let tries = 0; tries < 100; tries++) {
    if (succeeds(...probe)) return true;
    if (child.exitCode !== null || child.signalCode !== null) return false;
    await sleep(100);
  }
  return false;
};

const versionOfSwitch = [process.execPath, join(root, 'bin/ts-appctl'), '--timeout=5', 'version'];

const refuseSecondSwitch = () => {
  if (!succeeds(...versionOfSwitch)) return;
  giveUp(`a switch runs already on ${runDir} (${outputOf(...versionOfSwitch)}).
  If it is Debian's Open vSwitch:   systemctl stop openvswitch-switch   (or: bin/ts-appctl exit)
  To keep it and run this one beside it, choose other places:
    export OVS_RUNDIR=/tmp/ts-vswitch OVS_DBDIR=/tmp/ts-vswitch OVS_LOGDIR=/tmp/ts-vswitch; npm start`);
};

const printHelp = () => {
  const prefix = process.env.OVS_RUNDIR === undefined ? '' : `OVS_RUNDIR=${runDir} `;
  const tools = join(root, 'bin/');
  console.log(`
The switch runs. Its sockets are in ${runDir}:
  db.sock                     the database that ts-vsctl and ovs-vsctl write
  ovs-vswitchd.*.ctl          what ts-appctl and ovs-appctl talk to
Its log is ${join(logDir, 'ovs-vswitchd.log')}. In another terminal, as root, try:
  ${prefix}${tools}ts-vsctl add-br br0
  ${prefix}${tools}ts-vsctl show
  ${prefix}${tools}ts-appctl fdb/show br0
  ${prefix}${tools}ts-ofctl dump-flows br0
Where Open vSwitch's own tools are installed, ovs-vsctl and the others do the same.
Ctrl-C ends the switch.
`);
};

if (process.getuid() !== 0)
  giveUp('the switch opens network devices and must run as root: sudo npm start');
ensureNodePackages();
ensureDebianPackages(RUN_PACKAGES);
for (const folder of [runDir, dbDir, logDir]) mkdirSync(folder, { recursive: true });
build();
refuseSecondSwitch();

let ending = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => {
    if (ending) return;
    ending = true;
    say('ending');
    endAll().then(() => process.exit(0));
  });

const daemon = start(process.execPath, [
  join(root, 'bin/ts-vswitchd'),
  '--pidfile',
  '--log-file',
  '-vconsole:warn',
  '-vsyslog:off',
]);
if (await answers(daemon, ...versionOfSwitch)) printHelp();
else if (!ending) say('the daemon does not answer yet; what it says stands above');
const status = await daemon.ended;
if (!ending) {
  say(`the daemon ended with status ${status}`);
  await endAll();
  process.exit(status);
}
