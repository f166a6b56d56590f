/** The configuration over TLS: a daemon whose DATABASE is `ssl:`, of an ovsdb-server and of another daemon's own, with ts-vsctl beside it. */
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { Machine } from './support/machine.ts';
import { inRepository } from './support/repository.ts';
import { daemonCommand, isReference } from './support/switch.ts';

const KEYS = `
mkdir -p /run/keys /run/b && cd /run/keys
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj "/CN=authority"
for who in database switch; do
  openssl req -newkey rsa:2048 -nodes -keyout $who.key -out $who.csr -subj "/CN=$who"
  openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $who.pem -days 30
done
`;
const keys = (who: string): string =>
  `-p /run/keys/${who}.key -c /run/keys/${who}.pem -C /run/keys/ca.pem`;
const VSCTL = `${process.execPath} ${inRepository('bin/ts-vsctl')} --timeout=10`;

const SERVERS = [
  [
    'an ovsdb-server',
    `ovsdb-server /etc/openvswitch/conf.db --remote=punix:/run/openvswitch/db.sock --remote=pssl:6640:127.0.0.1 ${keys('database')} --pidfile -vconsole:off -vsyslog:off`,
  ],
  [
    "another daemon's database",
    `${daemonCommand()} ${keys('database')} --enable-dummy --pidfile -vconsole:off -vsyslog:off`,
  ],
] as const;

describe.skipIf(isReference()).each(SERVERS)('TLS to %s', (_, server) => {
  let machine: Machine;

  beforeAll(async () => {
    machine = await Machine.boot();
    await machine.sh(KEYS);
    await machine.sh('ovsdb-tool create /etc/openvswitch/conf.db');
    machine.start(server);
    await machine.until('ovs-appctl -t ovsdb-server version', undefined, 20_000);
    const remotes = await machine.sh('ovs-appctl -t ovsdb-server ovsdb-server/list-remotes');
    if (!remotes.includes('pssl:')) {
      await machine.sh('ovs-appctl -t ovsdb-server ovsdb-server/add-remote pssl:6640:127.0.0.1');
    }
  });
  afterAll(async () => {
    await machine?.shutdown();
  });

  it('a client with its keys is let in, one without is not', async () => {
    onTestFailed(() => console.error(machine.transcript()));
    const db = '--db=ssl:127.0.0.1:6640';
    await machine.sh(`${VSCTL} --no-wait ${db} ${keys('switch')} add-br br0`);
    expect(await machine.sh(`${VSCTL} ${db} ${keys('switch')} list-br`)).toBe('br0\n');
    await machine.fails(`${VSCTL} ${db} list-br`);
  });

  it('the switch obeys it, over the keys of its command line', async () => {
    onTestFailed(() => console.error(machine.transcript()));
    const places = 'env OVS_RUNDIR=/run/b OVS_LOGDIR=/run/b';
    const daemon = machine.start(
      `${places} ${daemonCommand()} ssl:127.0.0.1:6640 ${keys('switch')} --pidfile --log-file -vconsole:off -vsyslog:off --enable-dummy`,
    );
    await machine.until('ls /run/b/ovs-vswitchd.pid', undefined, 20_000);
    await machine.until('cat /run/b/ovs-vswitchd.log', (log) =>
      log.includes('ssl:127.0.0.1:6640: connected'),
    );
    expect(daemon.running()).toBe(true);
    await machine.sh(`${places} ovs-appctl exit`);
    expect(await daemon.ended).toBe(0);
  });
});
