/**
 * The daemon without an ovsdb-server: the tools of Open vSwitch and python's IDL on the database that it serves itself, the file handed to
 * an ovsdb-server and back, and `kill -9` at random moments. A thousand kills: `KILLS=1000 npx vitest run --config
 * vitest.labs.config.ts test/labs/embedded-database.lab.ts`.
 */
import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { RawClient } from '../ovsdb/server/support/raw-client.ts';
import { until } from '../ovsdb/support/until.ts';
import { random } from '../packet/bytes.ts';
import { type Background, Machine } from './support/machine.ts';
import { daemonCommand, isReference } from './support/switch.ts';

const KILLS = Number(process.env.KILLS ?? 15);
const SEED = Number(process.env.KILL_SEED ?? 1);

const IDL = `
import ovs.db.idl, ovs.poller
helper = ovs.db.idl.SchemaHelper("/usr/share/openvswitch/vswitch.ovsschema")
helper.register_all()
idl = ovs.db.idl.Idl("unix:/run/openvswitch/db.sock", helper)
def wait(done):
    while not done():
        idl.run()
        if done(): break
        poller = ovs.poller.Poller(); idl.wait(poller); poller.timer_wait(3000); poller.block()
wait(lambda: len(idl.tables["Bridge"].rows) > 0)
bridge = list(idl.tables["Bridge"].rows.values())[0]
txn = ovs.db.idl.Transaction(idl)
bridge.setkey("external_ids", "idl", "was here")
assert txn.commit_block() == ovs.db.idl.Transaction.SUCCESS, txn.get_error()
wait(lambda: bridge.external_ids.get("idl") == "was here")
print("idl", bridge.name)
`;

const OVSDBAPP = `
from ovsdbapp.backend.ovs_idl import connection
from ovsdbapp.schema.open_vswitch import impl_idl
idl = connection.OvsdbIdl.from_server("unix:/run/openvswitch/db.sock", "Open_vSwitch")
api = impl_idl.OvsdbIdl(connection.Connection(idl, timeout=10))
def run(command): return command.execute(check_error=True)
run(api.add_br("br-app", datapath_type="dummy"))
with api.transaction(check_error=True) as txn:
    txn.add(api.add_port("br-app", "p1"))
    txn.add(api.db_set("Interface", "p1", ("external_ids", {"iface-id": "x"})))
    txn.add(api.set_controller("br-app", ["tcp:127.0.0.1:6633"]))
    txn.add(api.set_fail_mode("br-app", "secure"))
run(api.db_set("Port", "p1", ("tag", 5)))
print(run(api.list_ports("br-app")), run(api.port_to_br("p1")), run(api.db_get("Interface", "p1", "external_ids")))
print(run(api.db_find("Port", ("tag", "=", 5), columns=["name", "tag"])))
run(api.db_clear("Port", "p1", "tag"))
run(api.del_br("br-app"))
print(run(api.list_br()))
`;

const hasOvsdbapp = spawnSync('/usr/bin/python3', ['-c', 'import ovsdbapp']).status === 0;

describe.skipIf(isReference())('the embedded database', () => {
  let machine: Machine;
  let daemon: Background;

  /** Starts the daemon without naming a database, and waits until it answers. */
  const start = async (options = ''): Promise<void> => {
    daemon = machine.start(
      `${daemonCommand()} --pidfile --log-file -vsyslog:off -vconsole:warn ${options}`,
    );
    await machine.until('ovs-appctl -t ovs-vswitchd version', undefined, 20_000);
  };
  const kill = async (signal: string): Promise<void> => {
    await machine.sh(`kill -${signal} $(cat /run/openvswitch/ovs-vswitchd.pid)`);
    await daemon.ended;
  };

  beforeAll(async () => {
    machine = await Machine.boot();
    await start();
  });
  afterAll(async () => {
    await machine?.shutdown();
  });

  // Needs Debian's python3-ovsdbapp.
  it.skipIf(!hasOvsdbapp)(
    "has what OpenStack's ovsdbapp takes for granted, on a database that nobody initialised",
    async () => {
      onTestFailed(() => console.error(machine.transcript()));
      const told = await machine.sh('timeout 30 /usr/bin/python3 -', { input: OVSDBAPP });
      expect(told.split('\n')).toEqual([
        "['p1'] br-app {'iface-id': 'x'}",
        "[{'name': 'p1', 'tag': 5}]",
        '[]',
        '',
      ]);
    },
  );

  it('is what ovs-vsctl and ovsdb-client work with', async () => {
    onTestFailed(() => console.error(machine.transcript()));
    await machine.sh('ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 external_ids:a=b');
    expect(await machine.sh('ovs-vsctl --timeout=10 br-get-external-id br0 a')).toBe('b\n');
    expect(await machine.sh('ovs-vsctl --bare --columns=ofport list interface br0')).toBe(
      '65534\n',
    );
    expect(await machine.sh('ovsdb-client list-dbs')).toBe('Open_vSwitch\n_Server\n');
    expect(await machine.sh('ovsdb-client get-schema-version')).toBe('8.3.1\n');
    expect(await machine.sh('ovsdb-client dump Bridge name')).toContain('\nbr0\n');
    expect(
      await machine.sh(
        'ovsdb-client transact \'["Open_vSwitch",{"op":"select","table":"Bridge","where":[],"columns":["name"]}]\'',
      ),
    ).toBe('[{"rows":[{"name":"br0"}]}]\n');
    const monitor = machine.start(
      'timeout 20 ovsdb-client monitor Open_vSwitch Bridge name,stp_enable',
    );
    await until(async () => monitor.output().includes('initial'));
    await machine.sh('ovs-vsctl --timeout=10 set bridge br0 stp_enable=true -- comment hello');
    await until(async () => /new +br0 +true/.test(monitor.output()));
    await machine.sh('ovs-vsctl --timeout=10 set bridge br0 stp_enable=false');
    await machine.sh('ovsdb-client backup > /run/backup && ovsdb-tool show-log /run/backup');
    expect(await machine.sh('ovsdb-tool show-log /etc/openvswitch/conf.db')).toContain('hello');
    await machine.sh('ovs-appctl ovsdb-server/compact');
    expect(await machine.sh('ovs-appctl ovsdb-server/list-dbs')).toBe('Open_vSwitch\n_Server\n');
    expect(await machine.sh('ovsdb-tool show-log /etc/openvswitch/conf.db')).not.toContain('hello');
  });

  it('is served where set-manager says', async () => {
    onTestFailed(() => console.error(machine.transcript()));
    await machine.sh('ovs-vsctl --timeout=10 set-manager ptcp:6640:127.0.0.1');
    const list = 'ovs-vsctl --timeout=10 --db=tcp:127.0.0.1:6640 list-br';
    await until(async () => (await machine.run(list)).stdout === 'br0\n');
    const monitor = machine.start('timeout 20 ovsdb-client monitor tcp:127.0.0.1:6640 Bridge name');
    await until(async () => (await machine.sh('ovs-vsctl show')).includes('is_connected: true'));
    await machine.sh('ovs-vsctl --timeout=10 del-manager');
    await monitor.ended;
    expect((await machine.run(list)).status).not.toBe(0);
  });

  it("is followed and written by python's IDL", async () => {
    onTestFailed(() => console.error(machine.transcript()));
    const told = await machine.sh('timeout 20 /usr/bin/python3 -', { input: IDL });
    expect(told).toBe('idl br0\n');
    expect(await machine.sh('ovs-vsctl br-get-external-id br0 idl')).toBe('was here\n');
  });

  it('goes to an ovsdb-server, beside which the daemon is a client, and comes back', async () => {
    onTestFailed(() => console.error(machine.transcript()));
    await kill('TERM');
    const server = machine.start(
      'ovsdb-server --remote=punix:/run/openvswitch/db.sock --pidfile -vconsole:off -vsyslog:off',
    );
    await machine.until('ovsdb-client list-dbs');
    await start();
    await machine.sh('ovs-vsctl --timeout=10 add-br br1');
    expect((await machine.run('ovs-appctl ovsdb-server/list-dbs')).status).not.toBe(0);
    await kill('TERM');
    await machine.sh('kill $(cat /run/openvswitch/ovsdb-server.pid)');
    await server.ended;
    await start();
    expect(await machine.sh('ovs-vsctl --timeout=10 list-br')).toBe('br0\nbr1\n');
    await machine.sh('ovs-vsctl --timeout=10 del-br br0 -- del-br br1');
    await kill('TERM');
  });

  it(
    `loses no committed transaction in ${KILLS} kills`,
    async () => {
      onTestFailed(() => console.error(machine.transcript()));
      const next = random(SEED);
      const socket = `/proc/${machine.pid}/root/run/openvswitch/db.sock`;
      const read = async (client: RawClient): Promise<number> => {
        const operation = { op: 'select', table: 'Open_vSwitch', where: [], columns: ['next_cfg'] };
        const reply = await client.request('transact', 'Open_vSwitch', operation);
        const [, value] = /"next_cfg":(\d+)/.exec(JSON.stringify(reply)) ?? [];
        return Number(value);
      };
      if (daemon.running()) await kill('TERM');
      await start('--enable-dummy --disable-system');
      await machine.sh('ovs-vsctl --timeout=10 --no-wait init');
      await kill('TERM');
      let sent = 0;
      let answered = 0;
      for (let round = 0; round < KILLS; round++) {
        await start('--enable-dummy --disable-system');
        const client = await RawClient.open(socket);
        const found = await read(client);
        if (round > 0) {
          expect(found).toBeGreaterThanOrEqual(answered);
          expect(found).toBeLessThanOrEqual(sent);
        }
        sent = Number.isNaN(found) ? 0 : found;
        answered = sent;
        const killed = sleep(next() % 60).then(() => kill('KILL'));
        let isAlive = true;
        void killed.then(() => {
          isAlive = false;
        });
        while (isAlive && !client.isClosed) {
          // Ten at a time, of random length, so that a write is often cut short.
          for (let i = 0; i < 10; i++) {
            sent++;
            const row = {
              next_cfg: sent,
              other_config: ['map', [['x', 'x'.repeat(next() % 5000)]]],
            };
            client.send(
              'transact',
              ['Open_vSwitch', { op: 'update', table: 'Open_vSwitch', where: [], row }],
              sent,
            );
          }
          await client.until((all) => all.some(({ id }) => id === sent)).catch(() => undefined);
          for (const { id, error } of client.messages)
            if (typeof id === 'number' && error === null) answered = Math.max(answered, id);
        }
        await killed;
        client.close();
      }
      await start('--enable-dummy --disable-system');
      const client = await RawClient.open(socket);
      expect(await read(client)).toBeGreaterThanOrEqual(answered);
      expect(await machine.sh('ovs-appctl ovsdb-server/list-dbs')).toContain('Open_vSwitch');
      console.log(`${KILLS} kills: ${answered} transactions, none lost`);
      client.close();
    },
    60_000 + KILLS * 4000,
  );
});
