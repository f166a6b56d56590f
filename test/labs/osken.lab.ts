/**
 * Applications on Debian's python3-os-ken run the switch: a learning switch in each version, one with four tables, groups and a meter, and one that is
 * driven by REST. Three hosts on veth pairs; without the application nothing passes (fail_mode=secure).
 */
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { addHost, pings } from './support/host.ts';
import { type Background, Machine } from './support/machine.ts';
import { inRepository } from './support/repository.ts';
import { Switch } from './support/switch.ts';

const HOSTS = [1, 2, 3];
const isThere = spawnSync('sh', ['-c', 'command -v osken-manager']).status === 0;

let machine: Machine;
let daemon: Switch;

beforeAll(async () => {
  if (!isThere) return;
  machine = await Machine.boot();
  daemon = new Switch(machine);
  await daemon.start();
  await daemon.addBridge('br0');
  await machine.sh('ovs-vsctl set-fail-mode br0 secure');
  for (const n of HOSTS) {
    const mac = `02:00:00:00:00:0${n}`;
    await addHost(machine, { name: `h${n}`, port: `v${n}`, address: `10.0.0.${n}/24`, mac });
    await machine.sh(
      `ip link set v${n} up && ovs-vsctl add-port br0 v${n} -- set interface v${n} ofport_request=${n}`,
    );
  }
}, 60_000);
afterAll(() => machine?.shutdown());

const runs = async (app: string, environment = ''): Promise<Background> => {
  onTestFailed(async () => console.error(await daemon.post()));
  const path = inRepository(`test/labs/apps/${app}.py`);
  const running = machine.start(
    `env ${environment} PYTHONDONTWRITEBYTECODE=1 osken-manager --ofp-listen-host 127.0.0.1 --ofp-tcp-listen-port 6653 --pid-file /run/osken.pid ${path}`,
  );
  onTestFailed(() => console.error(running.output()));
  await machine.sh('ovs-vsctl set-controller br0 tcp:127.0.0.1:6653');
  await machine.until(
    'ovs-vsctl --bare --columns=is_connected list controller',
    (is) => is.trim() === 'true',
    20_000,
  );
  return running;
};

const ends = async (running: Background): Promise<void> => {
  await machine.sh('kill -KILL $(cat /run/osken.pid); rm -f /run/osken.pid');
  await running.ended;
  await machine.sh('ovs-vsctl del-controller br0');
  for (const n of HOSTS) await machine.sh(`ip -n h${n} neigh flush dev eth0`);
};

const everybodyPings = async (): Promise<void> => {
  for (const from of HOSTS) {
    for (const to of HOSTS) {
      if (from !== to) expect(await pings(machine, `h${from}`, `10.0.0.${to}`)).toBe(true);
    }
  }
};

/** Needs Debian's python3-os-ken. */
describe.skipIf(!isThere)('os-ken runs', () => {
  test.each(['10', '13', '14', '15'])(
    'a learning switch of version %s',
    async (version) => {
      const app = await runs('learning_switch', `OF_VERSION=${version}`);
      await everybodyPings();
      expect(app.output()).toContain(
        `speaks ${[1, 4, 5, 6][['10', '13', '14', '15'].indexOf(version)]}`,
      );
      expect(app.output()).toContain('learned 02:00:00:00:00:01 to 02:00:00:00:00:02');
      expect(app.output()).not.toMatch(/error|Traceback/);
      await ends(app);
    },
    60_000,
  );

  test('four tables with groups and a meter', async () => {
    const app = await runs('pipeline');
    await machine.until('ovs-ofctl -OOpenFlow13 dump-groups br0', (out) =>
      out.includes('group_id=100'),
    );
    await everybodyPings();
    expect(app.output()).toContain('ready');
    expect(app.output()).toContain('host 02:00:00:00:00:03 table 1');
    expect(app.output()).not.toMatch(/error|Traceback/);
    const flows = await machine.sh('ovs-ofctl -OOpenFlow13 dump-flows br0 table=2');
    expect(flows).toMatch(
      /n_packets=[1-9]\d*.*dl_dst=02:00:00:00:00:02 actions=write_actions\(group:2\)/,
    );
    const meter = await machine.sh('ovs-ofctl -OOpenFlow13 meter-stats br0');
    expect(meter).toMatch(/meter:1 .*packet_in_count:[1-9]/);
    await ends(app);
  }, 60_000);

  test('an application that is driven by REST', async () => {
    const app = await runs('rest');
    const rest = async (method: string, path: string, body?: unknown): Promise<string> => {
      const data = body === undefined ? '' : `-d '${JSON.stringify(body)}'`;
      const url = `http://127.0.0.1:8080/${path}`;
      return await machine.sh(`curl -sf -m 10 -X ${method} ${data} ${url}`);
    };
    expect(await pings(machine, 'h1', '10.0.0.2')).toBe(false);
    const flow = (from: number, to: number) => ({
      priority: 7,
      match: { in_port: from },
      actions: [{ type: 'OUTPUT', port: to }],
    });
    await rest('POST', 'flow', flow(1, 2));
    await rest('POST', 'flow', flow(2, 1));
    expect(await pings(machine, 'h1', '10.0.0.2')).toBe(true);
    const flows = JSON.parse(await rest('GET', 'stats/flow'));
    const [stats] = Object.values(flows) as { packet_count: number; actions: string[] }[][];
    expect(stats.map(({ actions }) => actions).sort()).toEqual([['OUTPUT:1'], ['OUTPUT:2']]);
    expect(Math.min(...stats.map((one) => one.packet_count))).toBeGreaterThan(0);
    for (const kind of [
      ...['aggregate', 'port', 'portdesc', 'table', 'tablefeatures', 'desc', 'group', 'groupdesc'],
      ...['groupfeatures', 'meter', 'meterconfig', 'meterfeatures', 'queue', 'role'],
    ]) {
      // Timeouts of the helpers come as empty objects.
      expect(`${kind} ${await rest('GET', `stats/${kind}`)}`).toMatch(/^\w+ \{"\d+": /);
    }
    await rest('DELETE', 'flow', { match: { in_port: 1 } });
    expect(await pings(machine, 'h1', '10.0.0.2')).toBe(false);
    expect(app.output()).not.toMatch(/Traceback/);
    await ends(app);
  }, 60_000);
});
