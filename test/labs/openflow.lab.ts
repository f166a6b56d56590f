/** The same ovs-ofctl commands against Open vSwitch and against this switch, in memory: their output is equal but for times and ids. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const OURS = new URL('../../bin/ts-vswitchd', import.meta.url).pathname;

const COMMANDS = [
  '-O OpenFlow10 show br0',
  '-O OpenFlow13 show br0',
  '-O OpenFlow15 show br0',
  '-O OpenFlow10 dump-tables br0',
  '-O OpenFlow11 dump-tables br0',
  '-O OpenFlow13 dump-tables br0',
  '-O OpenFlow13 dump-table-features br0',
  '-O OpenFlow15 dump-table-features br0',
  '-O OpenFlow14 dump-table-desc br0',
  '-O OpenFlow13 dump-group-features br0',
  '-O OpenFlow10 dump-ports br0',
  '-O OpenFlow14 dump-ports br0',
  '-O OpenFlow13 dump-ports br0 9',
  '-O OpenFlow13 dump-ports-desc br0',
  'dump-desc br0',
  'queue-stats br0',
  '-O OpenFlow13 queue-get-config br0 1',
  '-O OpenFlow13 add-meter br0 meter=1,kbps,burst,stats,bands=type=drop,rate=1000,burst_size=100',
  '-O OpenFlow13 dump-meters br0',
  '-O OpenFlow13 add-group br0 group_id=1,type=select,bucket=weight:1,output:1,bucket=weight:2,output:2',
  '-O OpenFlow13 add-group br0 group_id=1,type=all,bucket=output:1',
  '-O OpenFlow13 dump-groups br0',
  '-O OpenFlow13 dump-group-stats br0',
  '-O OpenFlow13 add-flow br0 priority=5,ip,nw_dst=10.0.0.0/8,actions=group:1',
  '-O OpenFlow13 add-flow br0 table=1,tcp,tp_dst=80,actions=meter:1,set_field:1->reg1,goto_table:2',
  '-O OpenFlow13 add-flow br0 table=254,actions=drop',
  '-O OpenFlow13 add-flow br0 actions=group:99',
  '-O OpenFlow14 --bundle add-flow br0 in_port=1,actions=2',
  '-O OpenFlow13 dump-flows br0',
  '-O OpenFlow15 dump-flows br0',
  'dump-aggregate br0',
  '-O OpenFlow13 del-meter br0 meter=1',
  '-O OpenFlow13 del-groups br0 group_id=1',
  '-O OpenFlow13 dump-flows br0',
  'set-frags br0 drop',
  'get-frags br0',
  '-O OpenFlow14 mod-table br0 0 evict',
  '-O OpenFlow14 dump-table-desc br0',
  'mod-port br0 p1 no-flood',
  'show br0',
  'mod-port br0 p1 down',
  'show br0',
];

class Daemon {
  private readonly dir = mkdtempSync(join(tmpdir(), 'tsv-same-'));
  private readonly env = {
    ...process.env,
    OVS_RUNDIR: this.dir,
    OVS_LOGDIR: this.dir,
    OVS_DBDIR: this.dir,
    OVS_SYSCONFDIR: this.dir,
  };

  constructor(program: string) {
    const detached = ['--detach', '--no-chdir', '--pidfile'];
    const db = join(this.dir, 'conf.db');
    this.run('ovsdb-tool', ['create', db, SCHEMA]);
    this.run('ovsdb-server', [...detached, `--remote=punix:${this.dir}/db.sock`, db]);
    this.run('ovs-vsctl', ['--no-wait', 'init']);
    const quiet = ['-vconsole:off', '--enable-dummy', '--disable-system'];
    this.run(program, [...detached, ...quiet]);
    this.run('ovs-vsctl', [
      ...'--timeout=20 add-br br0 -- set bridge br0 datapath-type=dummy fail-mode=secure'.split(
        ' ',
      ),
      ...'-- add-port br0 p1 -- set interface p1 type=dummy ofport_request=1'.split(' '),
      ...'-- add-port br0 p2 -- set interface p2 type=dummy ofport_request=2'.split(' '),
    ]);
  }

  private run(program: string, args: string[]): void {
    execFileSync(program, args, { env: this.env, stdio: 'ignore' });
  }

  /** Output and errors of one ovs-ofctl, without what differs from run to run. */
  ofctl(command: string): string[] {
    const done = spawnSync('ovs-ofctl', command.split(' '), { env: this.env, timeout: 10_000 });
    return `${done.stdout}${done.stderr}`
      .replaceAll(this.dir, 'DIR')
      .replaceAll(/xid=0x[0-9a-f]+/g, 'xid')
      .replaceAll(/duration[=:]?[0-9.]+s/g, 'duration')
      .replaceAll(/(addr|dpid):[0-9a-f:]+/g, '$1')
      .split('\n');
  }

  stop(): void {
    for (const name of ['ovs-vswitchd', 'ovsdb-server']) {
      try {
        process.kill(Number(readFileSync(join(this.dir, `${name}.pid`), 'utf8')));
      } catch {
        // It has ended.
      }
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}

let theirs: Daemon;
let ours: Daemon;
beforeAll(() => {
  theirs = new Daemon('ovs-vswitchd');
  ours = new Daemon(OURS);
}, 60_000);
afterAll(() => {
  theirs?.stop();
  ours?.stop();
});

describe('ovs-ofctl shows of both', () => {
  test.each(COMMANDS)('%s', (command) => {
    expect(ours.ofctl(command)).toEqual(theirs.ofctl(command));
  });
});
