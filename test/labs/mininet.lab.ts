/**
 * Mininet drives the switch: a tree of depth 2 and fanout 4 (five bridges, sixteen hosts), everybody pings everybody, with a controller and
 * without. Needs Debian's mininet and openvswitch-testcontroller.
 *
 * Mininet deletes /tmp/*.log and ends programs by name: the machine of a lab has process ids and mounts of its own, and here its own /tmp.
 */
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { Machine } from './support/machine.ts';
import { inRepository } from './support/repository.ts';
import { Switch } from './support/switch.ts';

const has = (program: string): boolean =>
  spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
const mn = (settings: string, controller: string): string =>
  `mn --switch ovs,datapath=user${settings} --topo tree,depth=2,fanout=4 --test pingall ${controller} 2>&1`;

let machine: Machine;
let daemon: Switch;

beforeAll(async () => {
  if (!has('mn')) return;
  machine = await Machine.boot();
  // A /tmp of its own, in which the repository stays where it is.
  const here = inRepository('.');
  await machine.sh(
    `mkdir /run/here && mount --bind ${here} /run/here && mount -t tmpfs tmpfs /tmp && mkdir -p ${here} && mount --bind /run/here ${here}`,
  );
  daemon = new Switch(machine);
  await daemon.start();
}, 60_000);
afterAll(() => machine?.shutdown());

const pingAll = async (controller: string, settings = ''): Promise<void> => {
  onTestFailed(async () => console.error(await daemon.post()));
  const outcome = await machine.run(mn(settings, controller), { timeoutMs: 150_000 });
  expect(outcome.stdout).toContain('Results: 0% dropped (240/240 received)');
  expect(outcome.status).toBe(0);
  expect((await machine.sh('ovs-vsctl list-br')).trim()).toBe('');
};

/** Without mn there is nothing to run. */
describe.skipIf(!has('mn'))('pingall on a tree of five switches', () => {
  test('by themselves', () => pingAll('--controller none', ',failMode=standalone'), 180_000);

  test('with a remote controller that listens before', async () => {
    const controller = machine.start(
      'ovs-testcontroller ptcp:6653:127.0.0.1 --unixctl=none --pidfile=/run/tc.pid',
    );
    await machine.until('test -e /run/tc.pid');
    await pingAll('--controller remote,ip=127.0.0.1,port=6653');
    await machine.sh('kill $(cat /run/tc.pid)');
    await controller.ended;
  }, 180_000);

  test("with Mininet's own choice of a controller", () => pingAll(''), 180_000);
});
