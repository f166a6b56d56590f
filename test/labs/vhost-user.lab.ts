/**
 * Guests whose network device lies in memory that qemu shares with the switch: `type=vhost-user`, with the sockets at options:path.
 * They meet each other, a namespace behind a veth, a restarted daemon and their own restart.
 */
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { Guest } from './support/guest.ts';
import { type GuestImage, guestImage } from './support/guest-image.ts';
import { Machine } from './support/machine.ts';
import { isReference, Switch } from './support/switch.ts';

/** A seeded noise, messages with lengths that lie, and messages with descriptors that nobody asked for. */
const GARBAGE = `
import array, os, random, socket, struct
random.seed(1)
for i in range(60):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(2)
    s.connect("/run/vhost1")
    request = random.choice([1, 2, 5, 9, 12, 13, 18, 77])
    body = random.randbytes(random.choice([0, 3, 8, 40, 300]))
    data = struct.pack("<III", request, 1, random.choice([len(body), 2**31, 4096])) + body
    if i % 3 == 0:
        data = random.randbytes(200)
    fds = array.array("i", [0] * random.randrange(9))
    try:
        s.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if fds else [])
        if i % 2:
            s.recv(100)
    except OSError:
        pass
    s.close()
`;

// Open vSwitch has vhost-user in its DPDK build only; the guest's kernel is one for x86-64.
describe.skipIf(process.arch !== 'x64' || isReference()).sequential('guests by vhost-user', () => {
  let machine: Machine;
  let vswitch: Switch;
  let image: GuestImage;
  const guests: Guest[] = [];

  const step = (name: string, body: () => Promise<void>) =>
    it(name, async () => {
      onTestFailed(async () =>
        console.error([await vswitch.post(), ...guests.map((guest) => guest.console())].join('\n')),
      );
      await body();
    }, 180_000);
  const start = (index: number, properties = ''): Guest => {
    const guest = Guest.start(machine, image, {
      name: `test${index}`,
      mac: `52:54:00:00:00:0${index}`,
      network: { vhostUser: `/run/vhost${index}`, properties },
    });
    guests[index - 1] = guest;
    return guest;
  };
  const configure = (index: number): Promise<string> =>
    guests[index - 1].sh(`ip link set eth0 up && ip addr add 10.0.4.${index}/24 dev eth0`);
  const status = async (index: number): Promise<string> =>
    machine.sh(`ovs-vsctl get interface vu${index} status link_state`);

  beforeAll(async () => {
    image = guestImage();
    machine = await Machine.boot();
    vswitch = new Switch(machine);
    await vswitch.start();
    await vswitch.addBridge('br0');
    for (const index of [1, 2])
      await machine.sh(
        `ovs-vsctl add-port br0 vu${index} -- set interface vu${index} type=vhost-user options:path=/run/vhost${index}`,
      );
    await machine.sh('ip netns add r0');
    await machine.sh('ip link add s0 type veth peer name r0 netns r0');
    await machine.sh('ip link set s0 up');
    await machine.sh('ip -n r0 link set r0 up');
    await machine.sh('ip -n r0 addr add 10.0.4.254/24 dev r0');
    await machine.sh('ovs-vsctl add-port br0 s0');
  });
  afterAll(async () => {
    await machine?.shutdown();
  });

  step('what is wrong with a socket stands in the error column', async () => {
    await machine.run(
      'ovs-vsctl --timeout=10 add-port br0 bad -- set interface bad type=vhost-user',
    );
    expect(await machine.sh('ovs-vsctl get interface bad error')).toContain('options:path');
    await machine.sh('echo precious > /run/precious');
    await machine.run('ovs-vsctl --timeout=10 set interface bad options:path=/run/precious');
    await machine.until('ovs-vsctl get interface bad error', (out) => out.includes('no socket'));
    expect(await machine.sh('cat /run/precious')).toBe('precious\n');
    await machine.sh('ovs-vsctl del-port bad');
    expect(await machine.sh('stat -c %a /run/vhost1')).toBe('700\n');
  });

  step('who does not speak the protocol loses only its connection', async () => {
    const fds = async (): Promise<number> =>
      Number(await machine.sh('ls /proc/$(cat /run/openvswitch/ovs-vswitchd.pid)/fd | wc -l'));
    const before = await fds();
    await machine.sh('python3 -', { input: GARBAGE });
    await machine.until('ovs-vsctl get interface vu1 status', (out) =>
      out.includes('disconnected'),
    );
    expect(await fds()).toBeLessThanOrEqual(before + 1);
    expect(vswitch.running()).toBe(true);
  });

  step('guests boot, and the link comes up', async () => {
    expect(await status(1)).toMatch(/status=disconnected[\s\S]*down/);
    start(1);
    start(2);
    await Promise.all(guests.map((guest) => guest.booted()));
    await configure(1);
    await configure(2);
    await machine.until('ovs-vsctl get interface vu1 link_state', (out) => out.trim() === 'up');
    expect(await status(1)).toMatch(/io=vhost-user[\s\S]*status=connected/);
  });

  step('the guests ping each other and the namespace', async () => {
    expect(await guests[0].sh('ping -c 3 10.0.4.2')).toContain(' 0% packet loss');
    expect(await guests[1].sh('ping -c 3 10.0.4.254')).toContain(' 0% packet loss');
    expect(await guests[0].sh('ping -c 3 -s 20000 10.0.4.254')).toContain(' 0% packet loss');
  });

  const fetchBothWays = async (): Promise<void> => {
    const [first, second] = guests;
    await second.sh('mkdir -p /tmp/www && head -c 8000000 /dev/urandom > /tmp/www/file');
    const sum = (await second.sh('md5sum < /tmp/www/file')).trim().slice(0, 32);
    await second.run('httpd -p 8080 -h /tmp/www');
    const got = await first.sh(
      'timeout 40 wget -q -O /tmp/got http://10.0.4.2:8080/file; md5sum < /tmp/got',
      60_000,
    );
    expect(got).toContain(sum);
    await first.sh('mkdir -p /tmp/up && mv /tmp/got /tmp/up/');
    await first.run('httpd -p 8081 -h /tmp/up');
    const out = await machine.sh(
      'ip netns exec r0 busybox timeout 40 busybox wget -q -O - http://10.0.4.1:8081/got | md5sum',
      { timeoutMs: 60_000 },
    );
    expect(out).toContain(sum);
    await machine.sh('mkdir -p /run/www && head -c 8000000 /dev/urandom > /run/www/file');
    const other = (await machine.sh('md5sum < /run/www/file')).slice(0, 32);
    await machine.run('ip netns exec r0 busybox httpd -p 8080 -h /run/www');
    const down = await first.sh(
      'timeout 40 wget -q -O - http://10.0.4.254:8080/file | md5sum',
      60_000,
    );
    expect(down).toContain(other);
  };

  step('files go between guests and namespace unharmed, all ways', fetchBothWays);

  step('VLANs part the guests at once', async () => {
    await machine.sh('ovs-vsctl set port vu1 tag=10');
    expect((await guests[0].run('ping -c 2 -W 1 10.0.4.2')).status).not.toBe(0);
    await machine.sh('ovs-vsctl set port vu2 tag=10');
    expect(await guests[0].sh('ping -c 2 10.0.4.2')).toContain(' 0% packet loss');
    await machine.sh('ovs-vsctl clear port vu1 tag -- clear port vu2 tag');
  });

  step('a daemon that is restarted is found again by running guests', async () => {
    await vswitch.kill('TERM');
    await vswitch.startDaemon();
    await machine.until('ovs-vsctl get interface vu1 link_state', (out) => out.trim() === 'up');
    await machine.until('ovs-vsctl get interface vu2 link_state', (out) => out.trim() === 'up');
    expect(await guests[0].sh('ping -c 5 10.0.4.254')).toContain(' bytes from 10.0.4.254');
    expect(await guests[0].sh('ping -c 5 10.0.4.2')).toContain(' bytes from 10.0.4.2');
  });

  step('a guest without offloads gets segments and whole checksums', async () => {
    await guests[1].powerOff();
    await machine.until('ovs-vsctl get interface vu2 link_state', (out) => out.trim() === 'down');
    const off = ['csum', 'guest_csum', 'guest_tso4', 'guest_tso6', 'guest_ecn', 'mrg_rxbuf'];
    start(2, off.map((name) => `,${name}=off`).join(''));
    await guests[1].booted();
    await configure(2);
    expect(await guests[1].sh('ping -c 3 10.0.4.1')).toContain(' bytes from 10.0.4.1');
    await fetchBothWays();
  });

  step('a port that is deleted takes its socket away, and guests stay alive', async () => {
    await machine.sh('ovs-vsctl del-port vu2');
    expect((await machine.run('test -e /run/vhost2')).status).not.toBe(0);
    expect(await guests[0].sh('ping -c 2 10.0.4.254')).toContain(' 0% packet loss');
    expect(await guests[1].sh('echo alive')).toContain('alive');
    for (const guest of guests) await guest.powerOff();
    expect(vswitch.running()).toBe(true);
  });
});
