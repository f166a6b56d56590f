import { execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

// Inside node_modules, where the bundles find koffi.
const bundles = resolve('node_modules', `.tsv-ofctl-${process.pid}`);
const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const hasOriginal = spawnSync('ovs-ofctl', ['--version']).status === 0 && existsSync(SCHEMA);

let directory: string;
const running: ReturnType<typeof spawn>[] = [];
const run = promisify(execFile);

const environment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  OVS_RUNDIR: directory,
  OVS_LOGDIR: directory,
  OVS_DBDIR: directory,
});

const start = (command: string, ...args: string[]): void => {
  running.push(spawn(command, args, { env: environment(), stdio: 'ignore' }));
};

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resume) => setTimeout(resume, 20));
};

const vsctl = (...args: string[]) => run('ovs-vsctl', args, { env: environment() });

async function build(name: string, input: string): Promise<void> {
  const bundle = await rolldown({ input, platform: 'node', external: ['koffi', 'raw-socket'] });
  await bundle.write({ file: join(bundles, `${name}.mjs`), format: 'esm', codeSplitting: false });
  await bundle.close();
}

beforeAll(async () => {
  if (!hasOriginal) return;
  directory = mkdtempSync(join(tmpdir(), 'tsv-ofctl-'));
  mkdirSync(bundles, { recursive: true });
  await build('main', 'src/main.ts');
  await build('ofctl', 'src/ts-ofctl.ts');
  await run('ovsdb-tool', ['create', join(directory, 'conf.db'), SCHEMA]);
  const socket = join(directory, 'db.sock');
  start('ovsdb-server', `--remote=punix:${socket}`, join(directory, 'conf.db'));
  await until(() => existsSync(socket));
  await vsctl('--no-wait', 'init');
  start(
    process.execPath,
    join(bundles, 'main.mjs'),
    '--enable-dummy=override',
    '--disable-system',
    '-vconsole:off',
    `unix:${socket}`,
  );
  const bridge = 'add-br br0 -- set bridge br0 datapath-type=dummy fail-mode=secure';
  const versions = [10, 11, 12, 13, 14, 15].map((v) => `OpenFlow${v}`).join(',');
  const port = (name: string, number: number): string =>
    `-- add-port br0 ${name} -- set int ${name} type=dummy ofport_request=${number}`;
  await vsctl(
    ...`${bridge} protocols=${versions} ${port('p1', 1)} ${port('p2', 2)} ${port('eth3', 3)}`.split(
      ' ',
    ),
  );
  const file = (name: string, ...lines: string[]): void =>
    writeFileSync(join(directory, name), `${lines.join('\n')}\n`);
  file('flows', 'tcp actions=1', '# a comment', '', 'udp,priority=8 actions=2');
  file('wrong', 'tcp actions=1', 'bad=1,actions=2');
  file('bundle', 'flow tcp,actions=2', 'group add_or_mod group_id=98,type=all,bucket=1');
  file('impossible', 'flow udp,tp_dst=77,actions=2', 'flow tcp,actions=group:12');
});

afterAll(async () => {
  for (const child of running) child.kill('SIGTERM');
  await Promise.all(running.map((child) => new Promise((ended) => child.once('exit', ended))));
  if (directory !== undefined) rmSync(directory, { recursive: true });
  rmSync(bundles, { recursive: true, force: true });
});

interface Outcome {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Ids, times and the programs' names are each one's own; the bytes of a quoted message hold ids. */
const comparable = (text: string): string =>
  text
    .replace(/xid=0x[0-9a-f]+/g, 'xid=X')
    .replace(/duration([=:])[0-9.]+s/g, 'duration$1T')
    .replace(/idle_age=\d+/g, 'idle_age=T')
    // Told only when it is not the duration, which a second's turn between the two decides.
    .replace(/hard_age=\d+, /g, '')
    .replace(/^ts-ofctl/gm, 'ovs-ofctl')
    .replace(/^0000.*\n/gm, '');

const outcomeOf = (command: string, args: readonly string[]): Outcome => {
  const got = spawnSync(command, args, {
    env: environment(),
    cwd: directory,
    encoding: 'utf8',
    timeout: 10_000,
  });
  return { status: got.status ?? -1, out: comparable(got.stdout), err: comparable(got.stderr) };
};

const ours = (...args: string[]): Outcome =>
  outcomeOf(process.execPath, [join(bundles, 'ofctl.mjs'), ...args]);
const original = (...args: string[]): Outcome => outcomeOf('ovs-ofctl', args);

/** In order, each by both; every modification can be done twice. A word of its own begins at each blank, but for quoted ones. */
const COMMANDS = `
show br0
-OOpenFlow13 show br0
-OOpenFlow15 show br0
add-flow br0 table=1,priority=5,cookie=0x12,idle_timeout=60,tcp,in_port=1,tp_dst=80,actions=output:2,normal
add-flow br0 in_port=p1,actions=p2,LOCAL
add-flow br0 reg0=3/0xf,ipv6,ipv6_src=fe80::/10,actions=set_field:1->reg1,resubmit(,2)
add-flow br0 dl_vlan=5,actions=strip_vlan,mod_dl_src:00:00:00:00:00:01,output:1
-OOpenFlow13 add-flow br0 udp,actions=mod_tp_src:3,mod_vlan_vid:5,2
-OOpenFlow14 add-flow br0 importance=3,hard_timeout=100,arp,actions=controller
dump-flows br0
dump-flows br0 table=1
dump-flows br0 out_port=2
dump-flows br0 cookie=0x12/-1
-OOpenFlow13 dump-flows br0
-OOpenFlow14 dump-flows br0 udp
-OOpenFlow15 dump-flows br0
dump-flows --names br0 in_port=p1
dump-flows --no-stats br0
dump-flows --rsort br0 table=0,ip
-OOpenFlow13 dump-flows --sort=in_port --names br0 table=0,in_port=1
dump-aggregate br0
-OOpenFlow13 dump-aggregate br0 table=0
dump-ports br0
dump-ports br0 p1
dump-ports br0 nope
-OOpenFlow13 dump-ports br0 2
-OOpenFlow14 dump-ports --names br0 3
dump-ports-desc br0
-OOpenFlow15 dump-ports-desc br0 p2
-OOpenFlow13 dump-tables br0
-OOpenFlow13 queue-stats br0
set-frags br0 nx-match
get-frags br0
set-frags br0 sometimes
mod-port br0 p1 no-flood
show br0
mod-port br0 1 flood
mod-port br0 p1 sideways
mod-port br0 p9 up
--may-create -OOpenFlow13 mod-group br0 group_id=5,type=select,bucket=weight:10,watch_port:1,output:1,bucket=weight:5,actions=output:2
--may-create -OOpenFlow15 mod-group br0 group_id=6,type=all,bucket=output:1,output:2
--may-create -OOpenFlow15 mod-group br0 group_id=7,type=ff,bucket=watch_port:p1,output:1,bucket=watch_group:6,actions=group:6
--may-create -OOpenFlow15 mod-group br0 group_id=8,type=select,selection_method=hash,fields(ip_src,tcp_dst=0xff),bucket=bucket_id:3,output:1
dump-groups br0
-OOpenFlow13 dump-groups br0
-OOpenFlow15 dump-groups br0 8
dump-group-stats br0
-OOpenFlow13 add-group br0 group_id=5,type=all,bucket=1
-OOpenFlow13 add-group br0 group_id=5,type=some,bucket=1
-OOpenFlow13 add-group br0 type=all,bucket=1
-OOpenFlow13 del-groups br0 group_id=7
-OOpenFlow13 add-meter br0 meter=1
-OOpenFlow13 add-meter br0 meter=1,bands=type=drop,rate=3
-OOpenFlow13 mod-meter br0 meter=1,kbps,bands=type=drop,rate=3
-OOpenFlow13 dump-meters br0
-OOpenFlow13 meter-stats br0 meter=1
packet-out br0 in_port=1,packet=505400000001505400000002080045000028,actions=2
packet-out br0 1 2 505400000001505400000002080045000028
packet-out br0 in_port=1,packet=5054,actions=2
add-flow br0 foo=1,actions=1
add-flow br0 tcp
add-flow br0 actions=foo
-OOpenFlow13 add-flow br0 actions=group:77
add-flow br0 check_overlap,priority=32768,udp,tp_dst=3,actions=2
add-flow nobr actions=1
dump-flows
add-flow br0 a b
-OOpenFlow99 show br0
add-flows br0 missing
add-flows br0 flows
mod-flows br0 udp,actions=3
--strict mod-flows br0 udp,priority=8,actions=1
--strict del-flows br0 udp,priority=8
del-flows br0 what=1
del-flows br0 table=1
del-flows br0
diff-flows br0 flows
replace-flows br0 flows
diff-flows br0 flows
dump-flows br0
-OOpenFlow14 bundle br0 bundle
-OOpenFlow14 bundle br0 impossible
-OOpenFlow14 --bundle add-flows br0 flows
-OOpenFlow14 dump-flows br0
show tcp:127.0.0.1:1
`
  .trim()
  .split('\n');

describe.skipIf(!hasOriginal)('ts-ofctl', () => {
  it.each(COMMANDS)('says the same as the original: %s', (line) => {
    const args = line.split(' ');
    expect(ours(...args)).toEqual(original(...args));
  });

  it('adds a meter once, and deletes it', () => {
    const meter = 'meter=1,kbps,burst,stats,bands=type=drop,rate=100,burst_size=20';
    expect(ours('-OOpenFlow13', 'add-meter', 'br0', meter).status).toBe(0);
    const dumped = ours('-OOpenFlow13', 'dump-meters', 'br0');
    expect(dumped.out).toContain(
      'meter=1 kbps burst stats bands=\ntype=drop rate=100 burst_size=20\n',
    );
    expect(ours('-OOpenFlow13', 'dump-meters', 'br0')).toEqual(
      original('-OOpenFlow13', 'dump-meters', 'br0'),
    );
    expect(ours('-OOpenFlow13', 'add-meter', 'br0', meter).status).toBe(1);
    expect(ours('-OOpenFlow13', 'del-meter', 'br0', 'meter=1').status).toBe(0);
    expect(ours('-OOpenFlow13', 'dump-meters', 'br0').out).not.toContain('meter=1 ');
  });

  it('names the line of a file that it does not understand', () => {
    expect(ours('add-flows', 'br0', 'wrong')).toEqual({
      status: 1,
      out: '',
      err: 'ovs-ofctl: wrong:2: unknown keyword bad\n',
    });
  });

  it.each([
    'parse-flow table=3,cookie=0x5,tcp,actions=learn(table=1),2',
    'parse-flow nw_src=1.1.1.1,actions=1',
    'parse-flow skb_priority=1,actions=1',
    'parse-flow reset_counts,actions=1',
    'parse-flow reg3[0..15]=5,actions=mod_vlan_vid:4',
    '-OOpenFlow13 parse-flow in_port=1,actions=strip_vlan',
    '-OOpenFlow14 parse-flow ip,nw_src=1.0.0.1/255.0.0.255,actions=push_vlan:0x8100,set_field:4099->vlan_vid',
    '-F nxm parse-flow reg0=1,actions=goto_table:3',
    '-F nothing parse-flow actions=1',
    '-F OXM parse-flow actions=1',
    '-OOpenFlow15 parse-group group_id=1,type=all,bucket=weight:1,output:1',
    'parse-group group_id=1,type=all,bucket=output:1',
    'parse-flows flows',
    'parse-flows wrong',
    'ofp-print 0102000c0000000301020304',
    'ofp-print 01',
    'ofp-parse missing',
    '--read-only add-flow br0 actions=1',
    '-t soon show br0',
    'show ssl:127.0.0.1:1',
    'show foo:1',
  ])('needs no switch to say: %s', (line) => {
    const args = line.split(' ');
    const told = ({ status, out, err }: Outcome) => ({
      status,
      out,
      err: err.replace(/^\d{4}-\S+?Z\|/gm, '').replace(/^\d+\|ofp_(actions|match).*\n/gm, ''),
    });
    expect(told(ours(...args))).toEqual(told(original(...args)));
  });

  it('lists the commands when asked', () => {
    expect(ours('--help').out).toContain('\n  dump-flows SWITCH [FLOW]\n');
  });
});
