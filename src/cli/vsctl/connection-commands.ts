/** Controllers, managers, fail modes and SSL settings (ovs-vsctl(8), "OpenFlow Controller Connectivity" to "SSL Configuration"). */
import { type Attempt, firstRow, type RowRef } from './attempt.ts';
import { lines, topologyOf } from './bridge-commands.ts';
import { type Call, command, type Surroundings } from './command.ts';
import type { Wanted } from './monitored-database.ts';
import { realRow } from './topology.ts';
import { wantTopology } from './topology-columns.ts';
import { fail } from './vsctl-error.ts';

const CONTROLLER_TARGET = /^p?(?:tcp|ssl|unix):/;

/** Replaces what a column refers to by new rows with these targets. */
function setTargets(
  { attempt, warn }: Surroundings,
  call: Call,
  owner: RowRef,
  column: string,
  table: string,
  targets: readonly string[],
): void {
  clearRefs(attempt, owner, column);
  const probe = call.options.get('--inactivity-probe');
  const rows = targets.map((target) => {
    if (!CONTROLLER_TARGET.test(target)) warn(`target type "${target}" is possibly erroneous`);
    const row = attempt.insert(attempt.table(table));
    attempt.set(row, 'target', [target]);
    if (probe !== undefined && probe !== null) {
      attempt.set(row, 'inactivity_probe', [Number.parseInt(probe, 10) || 0]);
    }
    return row;
  });
  attempt.setRefs(owner, column, rows);
}

function clearRefs(attempt: Attempt, owner: RowRef, column: string): void {
  attempt.verifyNamed(owner, column);
  for (const row of attempt.refs(owner, column)) attempt.delete(row);
  attempt.setRefs(owner, column, []);
}

function targetsText(attempt: Attempt, owner: RowRef, column: string): string {
  attempt.verifyNamed(owner, column);
  return lines(
    attempt.refs(owner, column).map((row) => {
      attempt.verifyNamed(row, 'target');
      return attempt.text(row, 'target');
    }),
  );
}

const getController = command({
  name: 'get-controller',
  args: '!BRIDGE',
  usage: 'get-controller BRIDGE          targets of the controllers of BRIDGE',
  prepare: (_call, wanted) => {
    wantTopology(wanted);
    wanted.add('Controller', 'target');
  },
  run: (call, around) => {
    const bridge = topologyOf(around).bridge(call.args[0]);
    call.output = targetsText(around.attempt, realRow(bridge), 'controller');
  },
});

const delController = command({
  name: 'del-controller',
  args: '!BRIDGE',
  usage: 'del-controller BRIDGE          delete the controllers of BRIDGE',
  prepare: (_call, wanted) => wantTopology(wanted),
  run: (call, around) => {
    const bridge = topologyOf(around).realBridge(call.args[0]);
    clearRefs(around.attempt, realRow(bridge), 'controller');
  },
});

const setController = command({
  name: 'set-controller',
  args: '!BRIDGE +TARGET',
  least: 1,
  options: ['--inactivity-probe='],
  usage: 'set-controller BRIDGE TARGET...  give BRIDGE these controllers',
  prepare: (_call, wanted) => wantTopology(wanted),
  run: (call, around) => {
    const [name, ...targets] = call.args;
    const bridge = topologyOf(around).realBridge(name);
    setTargets(around, call, realRow(bridge), 'controller', 'Controller', targets);
  },
});

const getFailMode = command({
  name: 'get-fail-mode',
  args: '!BRIDGE',
  usage: 'get-fail-mode BRIDGE           what BRIDGE does without a controller',
  prepare: (_call, wanted) => wantTopology(wanted),
  run: (call, around) => {
    const row = realRow(topologyOf(around).bridge(call.args[0]));
    around.attempt.verifyNamed(row, 'fail_mode');
    const mode = around.attempt.text(row, 'fail_mode');
    if (mode !== '') call.output = `${mode}\n`;
  },
});

const delFailMode = command({
  name: 'del-fail-mode',
  args: '!BRIDGE',
  usage: 'del-fail-mode BRIDGE           forget the fail mode of BRIDGE',
  prepare: (_call, wanted) => wantTopology(wanted),
  run: (call, around) => {
    const row = realRow(topologyOf(around).realBridge(call.args[0]));
    around.attempt.set(row, 'fail_mode', []);
  },
});

const setFailMode = command({
  name: 'set-fail-mode',
  args: '!BRIDGE !MODE',
  usage: 'set-fail-mode BRIDGE standalone|secure  what BRIDGE is to do without a controller',
  prepare: (_call, wanted) => wantTopology(wanted),
  run: (call, around) => {
    const [name, mode] = call.args;
    const row = realRow(topologyOf(around).realBridge(name));
    if (mode !== 'standalone' && mode !== 'secure') {
      fail('fail-mode must be "standalone" or "secure"');
    }
    around.attempt.set(row, 'fail_mode', [mode]);
  },
});

/** The row of table Open_vSwitch, which every attempt has. */
const rootOf = (attempt: Attempt): RowRef =>
  firstRow(attempt, 'Open_vSwitch') ?? fail('no row in table Open_vSwitch');

const getManager = command({
  name: 'get-manager',
  args: '',
  usage: 'get-manager                    targets of the managers',
  prepare: (_call, wanted) => {
    wanted.add('Open_vSwitch', 'manager_options');
    wanted.add('Manager', 'target');
  },
  run: (call, { attempt }) => {
    call.output = targetsText(attempt, rootOf(attempt), 'manager_options');
  },
});

const delManager = command({
  name: 'del-manager',
  args: '',
  usage: 'del-manager                    delete the managers',
  prepare: (_call, wanted) => {
    wanted.add('Open_vSwitch', 'manager_options');
    wanted.add('Manager', 'target');
  },
  run: (_call, { attempt }) => clearRefs(attempt, rootOf(attempt), 'manager_options'),
});

const setManager = command({
  name: 'set-manager',
  args: '+TARGET',
  options: ['--inactivity-probe='],
  usage: 'set-manager TARGET...          have these managers',
  prepare: (_call, wanted) => {
    wanted.add('Open_vSwitch', 'manager_options');
    wanted.add('Manager', 'target');
  },
  run: (call, around) => {
    const root = rootOf(around.attempt);
    setTargets(around, call, root, 'manager_options', 'Manager', call.args);
  },
});

const SSL_COLUMNS = ['private_key', 'certificate', 'ca_cert', 'bootstrap_ca_cert'];

function wantSsl(wanted: Wanted): void {
  wanted.add('Open_vSwitch', 'ssl');
  wanted.add('SSL');
}

const getSsl = command({
  name: 'get-ssl',
  args: '',
  usage: 'get-ssl                        the SSL settings',
  prepare: (_call, wanted) => {
    wanted.add('Open_vSwitch', 'ssl');
    wanted.add('SSL', ...SSL_COLUMNS);
  },
  run: (call, { attempt }) => {
    const root = rootOf(attempt);
    attempt.verifyNamed(root, 'ssl');
    for (const ssl of attempt.refs(root, 'ssl')) {
      attempt.verifyNamed(ssl, ...SSL_COLUMNS);
      call.output =
        `Private key: ${attempt.text(ssl, 'private_key')}\n` +
        `Certificate: ${attempt.text(ssl, 'certificate')}\n` +
        `CA Certificate: ${attempt.text(ssl, 'ca_cert')}\n` +
        `Bootstrap: ${attempt.text(ssl, 'bootstrap_ca_cert')}\n`;
    }
  },
});

const delSsl = command({
  name: 'del-ssl',
  args: '',
  usage: 'del-ssl                        delete the SSL settings',
  prepare: (_call, wanted) => wantSsl(wanted),
  run: (_call, { attempt }) => {
    const root = rootOf(attempt);
    clearRefs(attempt, root, 'ssl');
  },
});

const setSsl = command({
  name: 'set-ssl',
  args: '!PRIVATE-KEY !CERTIFICATE !CA-CERT',
  options: ['--bootstrap'],
  usage: 'set-ssl KEY CERT CA-CERT       set the SSL settings',
  prepare: (_call, wanted) => wantSsl(wanted),
  run: (call, { attempt }) => {
    const [key, certificate, authority] = call.args;
    const root = rootOf(attempt);
    clearRefs(attempt, root, 'ssl');
    const ssl = attempt.insert(attempt.table('SSL'));
    attempt.set(ssl, 'private_key', [key]);
    attempt.set(ssl, 'certificate', [certificate]);
    attempt.set(ssl, 'ca_cert', [authority]);
    attempt.set(ssl, 'bootstrap_ca_cert', [call.options.has('--bootstrap')]);
    attempt.setRefs(root, 'ssl', [ssl]);
  },
});

export const controllerCommands = [
  getController,
  delController,
  setController,
  getFailMode,
  delFailMode,
  setFailMode,
];
export const managerCommands = [getManager, delManager, setManager];
export const sslCommands = [getSsl, delSsl, setSsl];
