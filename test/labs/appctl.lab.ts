/**
 * ts-appctl beside ovs-appctl: the same command lines through both, on the daemon, on its embedded database and on sockets and
 * pidfiles that are not as they should be. Output, errors and exit status are equal but for the program's name and the time.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Machine } from './support/machine.ts';
import { inRepository } from './support/repository.ts';
import { daemonCommand, isReference } from './support/switch.ts';

const OURS = `${process.execPath} ${inRepository('bin/ts-appctl')}`;
const RUN = '/run/openvswitch';

/** One line each, what comes behind the program's name. */
const LINES = `
version
-t ovs-vswitchd version
--target=ovs-vswitchd version
--targ ovs-vswitchd version
-tovs-vswitchd version
-t ${RUN}/ovs-vswitchd.$(cat ${RUN}/ovs-vswitchd.pid).ctl version
-t $(printf "/./%.0s" $(seq 60))${RUN}/ovs-vswitchd.$(cat ${RUN}/ovs-vswitchd.pid).ctl version
-T 5 version
--timeout=5 version
-e version
-- version
version x
version -t x
version -- x
list-commands
list-commands x
vlog/list
vlog/list-pattern
vlog/set foo
vlog/set dpif:file:dbg
vlog/set PATTERN:console:%m%n
vlog/set PATTERN:nowhere:x
nosuch
nosuch with arguments
""
fdb/show
fdb/show br0
fdb/show nobridge
fdb/stats-show br0
dpif/show
dpif/dump-dps
ofproto/list
ofproto/trace br0
ofproto/trace br0 in_port=1
ofproto/trace "br0 x"
coverage/read-counter
coverage/read-counter nosuch
bridge/dump-flows nobridge
qos/show br0
"fdb/show" "br0"
"fdb/show" "b\\"r\\\\0"
fdb/show bär
-t ovsdb-server version
-t ovsdb-server list-commands
-t ovsdb-server ovsdb-server/list-dbs
-t ovsdb-server ovsdb-server/list-remotes
-t ovsdb-server ovsdb-server/add-remote
-t ovsdb-server ovsdb-server/add-remote punix:${RUN}/more.sock
-t ovsdb-server ovsdb-server/list-remotes
-t ovsdb-server ovsdb-server/remove-remote punix:${RUN}/nosuch.sock
-t ovsdb-server ovsdb-server/compact
-t ovsdb-server ovsdb-server/compact nosuch
-t ovsdb-server ovsdb-server/reconnect
-t ovsdb-server ovsdb-server/sync-status
-t ovsdb-server ovsdb-server/get-db-storage-status Open_vSwitch
-t ovsdb-server memory/show
-t ovsdb-server vlog/list-pattern
-vjsonrpc:dbg vlog/set nosuch
-vunixctl:dbg version
-vfoo version
--verbose=jsonrpc:foo version
-vPATTERN:console:%m -t nosuch version
-vconsole:off -t nosuch version
-voff -t nosuch version
-t nosuch version
-t "" version
-t ../openvswitch/nosuch version
-t ${RUN}/nosuch.ctl version
-t ${RUN} version
-t /run/empty version
-t unlocked version
-t letters version
-t nothing version
-t directory version
-t $(printf "x%.0s" $(seq 300)) version
-t a -t b version
-t
--target
-T
-T 0 version
-T -1 version
-T x version
--timeout=1x version
-T 99999999999 version
-T 0x10 version
--t version
--v version
--s version
--nosuch
-x
--help=x
--version=x
--option
-o
--unixctl=x version
--syslog-method=foo version
--syslog-method=null version
--log-file=/run/appctl.log -t nosuch version

`
  .trim()
  .split('\n');

/** What a broken server answers; an empty one says nothing. */
const ANSWERS = [
  '',
  'garbage',
  '{"id":0,"result":null,"error":"no newline"}',
  '{"id":0,"result":"no newline","error":null}',
  '{"id":0,"result":5,"error":null}',
  '{"id":0,"result":[],"error":null}',
  '{"id":0,"result":null,"error":{"a":1}}',
  '{"id":0,"result":"a","error":"b"}',
  '{"id":null,"method":"x","params":[]}{"id":0,"result":"later","error":null}',
  '{"id":7,"result":"x","error":null}',
  '{"id":0,"result":null,"error":null}',
  '{"id":0,',
  '{"id":0,"result":"\\u00e9 \\" \\\\ \\n","error":null}',
];

const SERVER = `
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind("/run/broken.ctl")
listener.listen(1)
print("listening", flush=True)
for answer in sys.stdin.read().split("\\n")[:-1]:
    for turn in range(2):
        client, _ = listener.accept()
        client.recv(4096)
        client.sendall(answer.encode())
        client.shutdown(socket.SHUT_RDWR)
        client.close()
`;

/** Without what differs by chance. */
const plain = (text: string): string =>
  text
    .replaceAll('ovs-appctl', 'ts-appctl')
    .replaceAll(/^\d{4}-\d\d-\d\dT[\d:.]+Z\|/gm, '')
    .replaceAll(/ +$/gm, '');

describe.skipIf(isReference())('ts-appctl', () => {
  let machine: Machine;

  /** What both print for a line, when it differs. */
  const differences = async (lines: readonly string[]): Promise<string[]> => {
    const found: string[] = [];
    for (const line of lines) {
      const [theirs, ours] = [
        await machine.run(`ovs-appctl ${line}`),
        await machine.run(`${OURS} ${line}`),
      ].map(
        ({ status, stdout, stderr }) =>
          `${plain(stdout)}--- stderr\n${plain(stderr)}--- status ${status}`,
      );
      if (ours !== theirs) found.push(`# ${line}\n${theirs}\n=== ours\n${ours}`);
    }
    return found;
  };

  beforeAll(async () => {
    machine = await Machine.boot();
    machine.start(`${daemonCommand()} --pidfile --log-file -vsyslog:off -vconsole:warn`);
    await machine.until(`${OURS} -T 5 version`, undefined, 20_000);
    await machine.sh('ovs-vsctl --timeout=10 add-br br0');
    await machine.sh(
      `: > /run/empty; echo 12 > ${RUN}/unlocked.pid; echo foo > ${RUN}/letters.pid`,
    );
    await machine.sh(`: > ${RUN}/nothing.pid; mkdir ${RUN}/directory.pid`);
  });
  afterAll(async () => {
    await machine?.shutdown();
  });

  it(`answers ${LINES.length} command lines as ovs-appctl does`, async () => {
    expect(await differences(LINES)).toEqual([]);
  });

  it('takes what broken servers say as ovs-appctl does', async () => {
    await machine.sh('cat > /run/server.py', { input: SERVER });
    await machine.sh('cat > /run/answers', { input: `${ANSWERS.join('\n')}\n` });
    const server = machine.start(
      "sh -c 'exec timeout 60 /usr/bin/python3 /run/server.py < /run/answers'",
    );
    await machine.until('true', () => server.output().includes('listening'));
    expect(await differences(ANSWERS.map(() => '-t /run/broken.ctl command'))).toEqual([]);
    await server.ended;
  });

  it('gives up by SIGALRM after its timeout', async () => {
    // Nobody accepts: the kernel does, and that is all the answer there is.
    const mute = `import socket,time; s=socket.socket(socket.AF_UNIX); s.bind("/run/mute.ctl"); s.listen(9); time.sleep(60)`;
    const server = machine.start(`/usr/bin/python3 -c '${mute}'`);
    await machine.until('test -S /run/mute.ctl');
    const told = async (program: string): Promise<string> => {
      const { stdout, stderr } = await machine.run(
        `${program} -T 1 -t /run/mute.ctl version; echo "status $?"`,
      );
      return stdout + plain(stderr.split('\n')[0]);
    };
    expect(await told(OURS)).toBe(await told('ovs-appctl'));
    expect(await told(OURS)).toMatch(/^status 142\n.*terminating with signal 14 \(Alarm clock\)/);
    await machine.run('for p in $(pidof python3); do kill $p; done');
    await server.ended;
  });

  it('prints its versions and its help', async () => {
    expect(await machine.sh(`${OURS} --version`)).toMatch(
      /^ts-appctl \(Open vSwitch\) \d+\.\d+\.\d+\nts-vswitch /,
    );
    expect(await machine.sh(`${OURS} -h nonsense`)).toContain('-t, --target=TARGET');
  });

  it('finds nobody on the sockets of the embedded database when the daemon has ended', async () => {
    await machine.sh('ovs-appctl -t ovsdb-server exit');
    await machine.until(
      `ls ${RUN}`,
      (files) => !/ovs(db-server|-vswitchd)\S*\.(pid|ctl)/.test(files),
    );
  });
});
