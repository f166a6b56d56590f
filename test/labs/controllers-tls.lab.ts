/** Controllers over TLS: keys of ovs-pki's kind made with openssl, the SSL table, and the stock tools at the other end. */
import { afterAll, beforeAll, expect, onTestFailed, test } from 'vitest';
import type { Background } from './support/machine.ts';
import { Machine } from './support/machine.ts';
import { isReference, Switch } from './support/switch.ts';

const LOG = '/var/log/openvswitch/ovs-vswitchd.log';
const CONNECTED = 'ovs-vsctl --bare --columns=is_connected list controller';
/** Two authorities; each has signed for a switch and a controller. */
const MAKE_KEYS = `
mkdir /run/pki && cd /run/pki
for ca in a b; do
  openssl req -x509 -newkey rsa:2048 -nodes -keyout ca$ca.key -out ca$ca.pem -days 30 -subj "/CN=authority $ca"
  for who in switch tool; do
    openssl req -newkey rsa:2048 -nodes -keyout $who$ca.key -out $who$ca.csr -subj "/CN=$who $ca"
    openssl x509 -req -in $who$ca.csr -CA ca$ca.pem -CAkey ca$ca.key -CAcreateserial -days 30 -out $who$ca.pem
  done
done`;

const keys = (authority: string): string =>
  `-p /run/pki/tool${authority}.key -c /run/pki/tool${authority}.pem`;
const show = (authority: string, trusted: string): string =>
  `ovs-ofctl --timeout=5 ${keys(authority)} -C /run/pki/ca${trusted}.pem show ssl:127.0.0.1:6653`;
const setSsl = (key: string, ca: string, how = ''): string =>
  `ovs-vsctl --timeout=5 ${how} set-ssl ${key}.key ${key}.pem ${ca}`;

let machine: Machine;
let daemon: Switch;

/** A learning switch that waits for switches of its own authority. */
const controller = (authority: string): Background =>
  machine.start(
    `ovs-testcontroller ${keys(authority)} -C /run/pki/ca${authority}.pem --peer-ca-cert=/run/pki/ca${authority}.pem pssl:6654:127.0.0.1 --unixctl=none --pidfile=/run/controller.pid`,
  );
const endController = async (running: Background): Promise<void> => {
  await machine.sh('kill $(cat /run/controller.pid)');
  await running.ended;
};

beforeAll(async () => {
  machine = await Machine.boot();
  await machine.sh(MAKE_KEYS);
  daemon = new Switch(machine);
  await daemon.start();
  await daemon.addBridge('br0');
}, 60_000);
afterAll(() => machine?.shutdown());

const postMortem = (): void => {
  onTestFailed(async () => console.error(await daemon.post()));
};

test('pssl: is there before the keys are, and takes those of the SSL table when it is filled', async () => {
  postMortem();
  await machine.sh('ovs-vsctl set-controller br0 pssl:6653:127.0.0.1');
  await machine.fails(show('a', 'a'));
  await machine.until(`grep 'Private key must be configured to use SSL' ${LOG}`);
  await machine.sh(setSsl('/run/pki/switcha', '/run/pki/caa.pem'));
  expect(await machine.sh(show('a', 'a'))).toContain('OFPT_FEATURES_REPLY');
}, 30_000);

test('pssl: refuses a tool of another authority, or of none, and says so in the log', async () => {
  postMortem();
  await machine.fails(show('b', 'a'));
  await machine.until(`grep 'stream_ssl.*certificate verify failed' ${LOG}`);
  await machine.run('echo this is no TLS | timeout 2 nc 127.0.0.1 6653');
  if (!isReference()) await machine.until(`grep 'stream_ssl.*wrong version number' ${LOG}`);
  expect(await machine.sh(show('a', 'a'))).toContain('OFPT_FEATURES_REPLY');
}, 30_000);

test('pssl: uses keys that were replaced in place, without a word to the database', async () => {
  postMortem();
  await machine.sh('cd /run/pki && cp switcha.key live.key && cp switcha.pem live.pem');
  await machine.sh(setSsl('/run/pki/live', '/run/pki/caa.pem'));
  expect(await machine.sh(show('a', 'a'))).toContain('OFPT_FEATURES_REPLY');
  await machine.sh('cd /run/pki && cp switchb.key live.key && cp switchb.pem live.pem');
  expect(await machine.until(show('a', 'b'))).toContain('OFPT_FEATURES_REPLY');
  await machine.fails(show('a', 'a'));
}, 30_000);

test('ssl: connects to a controller, and not to one of another authority', async () => {
  postMortem();
  await machine.sh(setSsl('/run/pki/switcha', '/run/pki/caa.pem'));
  await machine.sh('ovs-vsctl set-controller br0 ssl:127.0.0.1:6654');
  const right = controller('a');
  await machine.until(CONNECTED, (is) => is.trim() === 'true');
  await endController(right);
  const wrong = controller('b');
  await machine.until(
    'ovs-vsctl --bare --columns=status list controller',
    (status) => status.includes('last_error=Protocol error'),
    15_000,
  );
  expect(await machine.sh(CONNECTED)).toBe('false\n');
  await endController(wrong);
}, 60_000);

test('ssl: learns the authority from the first controller when told to', async () => {
  postMortem();
  await machine.sh('ovs-vsctl del-controller br0');
  await machine.sh(setSsl('/run/pki/switcha', '/run/learned.pem', '--bootstrap'));
  const first = controller('a');
  await machine.sh('ovs-vsctl set-controller br0 ssl:127.0.0.1:6654');
  await machine.until(CONNECTED, (is) => is.trim() === 'true', 15_000);
  await machine.sh('cmp /run/learned.pem /run/pki/caa.pem');
  await endController(first);
}, 30_000);

test('ssl: says which file is missing, in the log and by the status', async () => {
  postMortem();
  await machine.sh('ovs-vsctl del-controller br0');
  await machine.sh(setSsl('/run/pki/absent', '/run/pki/caa.pem'));
  if (!isReference()) {
    await machine.until(`grep 'cannot read private key /run/pki/absent.key: No such file' ${LOG}`);
    await machine.sh('ovs-vsctl set-controller br0 ssl:127.0.0.1:6654');
    await machine.until(
      'ovs-vsctl --bare --columns=status list controller',
      (status) => status.includes('last_error=Protocol not available'),
      15_000,
    );
  }
}, 30_000);
