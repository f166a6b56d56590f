/**
 * The daemon with exactly CAP_NET_ADMIN and CAP_NET_RAW: as a user without rights, as contrib/ts-vswitchd.service starts it, and as a root
 * with nothing else, as in a container (contrib/Containerfile). Everything that needs a device, a packet ring or a raw socket works.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { addHost, pings, pingsWithin } from './support/host.ts';
import { type Background, Machine } from './support/machine.ts';
import { inRepository } from './support/repository.ts';
import { isReference } from './support/switch.ts';

const CAPS = '-all,+net_admin,+net_raw';
const NOBODY = 65534;
/** Bits 12 and 13 of capabilities(7). */
const MASK = '0000000000003000';

/** The built program where everybody may read it: a repository in somebody's home folder is not. */
const PROGRAM = '/run/program';
const COPY = [
  `mkdir -p ${PROGRAM}/dist ${PROGRAM}/node_modules`,
  `cp -rL ${inRepository('package.json')} ${inRepository('bin')} ${PROGRAM}`,
  `cp ${inRepository('dist')}/*.js ${PROGRAM}/dist`,
  `cp -rL ${['koffi', '@koromix', 'ip-num'].map((name) => inRepository(`node_modules/${name}`)).join(' ')} ${PROGRAM}/node_modules`,
  `chmod -R a+rX ${PROGRAM}`,
].join(' && ');

const STARTS = [
  {
    who: 'a user without rights',
    uid: NOBODY,
    setpriv: `setpriv --no-new-privs --bounding-set=${CAPS} --inh-caps=${CAPS} --ambient-caps=${CAPS} --reuid=${NOBODY} --regid=${NOBODY} --clear-groups`,
  },
  {
    who: 'root of a container',
    uid: 0,
    setpriv: `setpriv --no-new-privs --bounding-set=${CAPS} --inh-caps=${CAPS}`,
  },
];

describe.skipIf(isReference()).each(STARTS)('two capabilities: $who', ({ uid, setpriv }) => {
  let machine: Machine;
  let daemon: Background;

  const start = async (): Promise<void> => {
    daemon = machine.start(
      `${setpriv} ${process.execPath} ${PROGRAM}/bin/ts-vswitchd --pidfile --log-file -vconsole:off`,
    );
    await machine.until('ovs-appctl version', undefined, 20_000);
  };
  const vsctl = (line: string): Promise<string> => machine.sh(`ovs-vsctl --timeout=10 ${line}`);

  beforeAll(async () => {
    machine = await Machine.boot();
    // As udev makes it; in a bare container only root may open it.
    await machine.sh('mount -t tmpfs tmpfs /dev/net && mknod -m 666 /dev/net/tun c 10 200');
    await machine.sh(COPY);
    await machine.sh(`chown ${uid} /run/openvswitch /etc/openvswitch /var/log/openvswitch`);
    await start();
  });
  afterAll(async () => {
    await machine?.shutdown();
  });

  it('it has no others', async () => {
    const status = await machine.sh('cat /proc/$(cat /run/openvswitch/ovs-vswitchd.pid)/status');
    expect(status).toMatch(new RegExp(`^Uid:\t${uid}\t`, 'm'));
    for (const set of ['CapPrm', 'CapEff', 'CapBnd']) expect(status).toContain(`${set}:\t${MASK}`);
  });

  it('it switches veth pairs, TAP devices, the bridge itself, and VLANs', async () => {
    onTestFailed(() => console.error(machine.transcript()));
    await vsctl('add-br br0');
    for (const n of [1, 2]) {
      await addHost(machine, { name: `h${n}`, port: `p${n}`, address: `10.0.0.${n}/24` });
      await machine.sh(`ip link set p${n} up`);
      await vsctl(`add-port br0 p${n} tag=10`);
    }
    await vsctl('add-port br0 inside tag=10 -- set interface inside type=internal');
    await machine.sh('ip netns add h3 && ip link set inside netns h3');
    await machine.sh('ip -n h3 addr add 10.0.0.3/24 dev inside && ip -n h3 link set inside up');
    expect(await pingsWithin(machine, 'h1', '10.0.0.2', 5000)).toBe(true);
    expect(await pingsWithin(machine, 'h1', '10.0.0.3', 5000)).toBe(true);
    await vsctl('set port p2 tag=11');
    expect(await pings(machine, 'h1', '10.0.0.2')).toBe(false);
    await vsctl('set port p2 tag=10');
    await vsctl(
      'set interface p1 ingress_policing_rate=100000 -- set interface br0 mtu_request=1400',
    );
    await machine.until('ovs-vsctl get interface br0 mtu', (mtu) => mtu === '1400\n');
    await machine.sh('ovs-ofctl mod-port br0 p2 down');
    expect(await machine.sh('ip link show p2')).not.toContain('LOWER_UP');
    await machine.sh('ovs-ofctl mod-port br0 p2 up');
    expect(await pingsWithin(machine, 'h1', '10.0.0.2', 5000)).toBe(true);
  });

  it('it opens tunnels', async () => {
    onTestFailed(() => console.error(machine.transcript()));
    await vsctl('add-br br1');
    for (const type of ['gre', 'vxlan', 'geneve']) {
      await vsctl(
        `add-port br1 ${type} -- set interface ${type} type=${type} options:remote_ip=192.0.2.1`,
      );
      expect(await vsctl(`get interface ${type} error`)).toBe('[]\n');
      expect(await vsctl(`get interface ${type} status:io`)).toBe('sockets\n');
    }
  });

  it('it starts again with its database, but cannot reach into other namespaces', async () => {
    onTestFailed(() => console.error(machine.transcript()));
    await machine.sh('kill -TERM $(cat /run/openvswitch/ovs-vswitchd.pid)');
    await daemon.ended;
    await start();
    expect(await pingsWithin(machine, 'h1', '10.0.0.2', 5000)).toBe(true);
    // As doc/ts-vswitchd.8.md says under PRIVILEGES: entering h3 needs CAP_SYS_ADMIN, so a new device is made here.
    await machine.sh('ip link show inside');
    expect(await pings(machine, 'h1', '10.0.0.3')).toBe(false);
    await machine.sh('ip -n h3 link del inside && ip link set inside netns h3');
    await machine.sh('ip -n h3 addr add 10.0.0.3/24 dev inside && ip -n h3 link set inside up');
    expect(await pingsWithin(machine, 'h1', '10.0.0.3', 5000)).toBe(true);
    await machine.sh('ovs-appctl exit --cleanup');
    expect(await daemon.ended).toBe(0);
    await machine.fails('ip link show br0');
  });
});

describe('the systemd unit', () => {
  it('is one that systemd understands', (context) => {
    const work = mkdtempSync(join(tmpdir(), 'tsv-unit-'));
    try {
      const unit = join(work, 'ts-vswitchd.service');
      const text = readFileSync(inRepository('contrib/ts-vswitchd.service'), 'utf8');
      writeFileSync(unit, text.replaceAll('/usr/local/bin', inRepository('bin')));
      execFileSync('systemd-analyze', ['verify', '--man=no', unit], { stdio: 'pipe' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT')
        context.skip('no systemd-analyze here');
      throw new Error(String((error as { stderr?: Buffer }).stderr ?? error));
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
});
