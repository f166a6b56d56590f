/**
 * `npm run demo`: three hosts on one bridge in two VLANs. Shows in seconds what the switch does: who reaches
 * whom, what was learned, which megaflows were made. Everything happens on a private machine made of
 * namespaces, and is gone afterwards. LAB_DAEMON=ovs-vswitchd shows the same with Open vSwitch.
 */
import { addHost, pings } from '../test/labs/support/host.ts';
import { Machine } from '../test/labs/support/machine.ts';
import { Switch } from '../test/labs/support/switch.ts';

const began = Date.now();
const machine = await Machine.boot({ verbose: false });
const stop = (): void => {
  machine.shutdown().then(() => process.exit(130));
};
process.once('SIGINT', stop);
process.once('SIGTERM', stop);

const title = (text: string): void => console.log(`\n== ${text}`);

/** Types a command and shows it with its output, as in a terminal. */
const show = async (command: string): Promise<void> => {
  console.log(`# ${command}`);
  process.stdout.write(await machine.sh(command));
};

let wrong = 0;
const expectPing = async (from: string, to: string, address: string, wanted: boolean) => {
  const answered = await pings(machine, from, address);
  if (answered !== wanted) wrong++;
  console.log(
    `${from} -> ${to}: ${answered ? 'answers' : 'no answer'}${answered === wanted ? '' : '   <-- WRONG'}`,
  );
};

try {
  title('A database server and the switch, on a machine of their own');
  const vswitch = new Switch(machine);
  await vswitch.start();
  await show('ovs-appctl version');

  title('A bridge, and three hosts: red1 and red2 in VLAN 10, blue in VLAN 20');
  await vswitch.addBridge('br0');
  for (const [index, name] of ['red1', 'red2', 'blue'].entries()) {
    await addHost(machine, {
      name,
      port: `to-${name}`,
      address: `10.0.0.${index + 1}/24`,
      ipv6: false,
    });
    await machine.sh(`ip link set to-${name} up`);
    await show(`ovs-vsctl add-port br0 to-${name} tag=${name === 'blue' ? 20 : 10}`);
  }
  await show('ovs-vsctl show');

  title('Who reaches whom');
  await expectPing('red1', 'red2', '10.0.0.2', true);
  await expectPing('red1', 'blue', '10.0.0.3', false);

  title('blue moves to VLAN 10 while everything runs');
  await show('ovs-vsctl set port to-blue tag=10');
  await expectPing('red1', 'blue', '10.0.0.3', true);

  title('What the switch has learned, and what it does per packet');
  await show('ovs-appctl fdb/show br0');
  await show('ovs-appctl dpctl/dump-flows');
  console.log(
    `\n${wrong === 0 ? 'All as expected' : `${wrong} WRONG`}, in ${((Date.now() - began) / 1000).toFixed(1)} s.`,
  );
} catch (error) {
  console.error(error);
  wrong++;
} finally {
  await machine.shutdown();
}
process.exitCode = wrong === 0 ? 0 : 1;
