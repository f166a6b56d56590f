/** qos/*: the texts of Open vSwitch 3.1, seen on a veth of 10 Gbit/s with an MTU of 1500. */
import { expect, test } from 'vitest';
import { QOS_TYPES, qosInForce, type WantedQos } from '../../src/config/qos.ts';
import { CommandTable } from '../../src/unixctl/command.ts';
import { qosCommands } from '../../src/unixctl/commands/qos.ts';

const DEVICE = { mtu: 1500, speedBps: 10_000_000_000 };

function show(want: WantedQos | null) {
  const table = new CommandTable(
    qosCommands((name) =>
      name === 'p'
        ? {
            types: QOS_TYPES,
            qos: qosInForce(want, DEVICE),
            queueStats: (id) => ({ txBytes: 1000 * id, txPackets: id, txErrors: 0 }),
          }
        : name === 'dummy'
          ? { types: [], qos: null, queueStats: () => null }
          : null,
    ),
  );
  return (...args: string[]) => table.run(args[0], args.slice(1));
}

const queue = (id: number, otherConfig: Record<string, string> = {}) => ({
  id,
  dscp: null,
  otherConfig,
});

test('an interface without QoS, one that cannot have any, and one that is not there', async () => {
  const run = show(null);
  expect(await run('qos/show', 'p')).toBe('QoS not configured on p\n');
  expect(await run('qos/show-types', 'p')).toBe(
    `QoS type: linux-netem
QoS type: linux-fq_codel
QoS type: linux-codel
QoS type: linux-hfsc
QoS type: linux-noop
QoS type: linux-sfq
QoS type: linux-htb
`,
  );
  expect(await run('qos/show-types', 'dummy')).toBe(
    'No QoS types supported for interface: dummy\n',
  );
  await expect((async () => run('qos/show', 'p2'))()).rejects.toThrow('no such interface');
});

test('htb with queues', async () => {
  const run = show({
    type: 'linux-htb',
    otherConfig: { 'max-rate': '100000000' },
    queues: [
      queue(0, { 'min-rate': '1000000' }),
      queue(1, { 'max-rate': '10000000', burst: '100000', priority: '3' }),
      queue(2, { 'min-rate': '5000000' }),
    ],
  });
  expect(await run('qos/show', 'p')).toBe(`QoS: p linux-htb
max-rate: 100000000

Default:
  burst: 12512
  min-rate: 1000000
  max-rate: 100000000
  tx_packets: 0
  tx_bytes: 0
  tx_errors: 0

Queue 1:
  burst: 100000
  priority: 3
  min-rate: 12000
  max-rate: 10000000
  tx_packets: 1
  tx_bytes: 1000
  tx_errors: 0

Queue 2:
  burst: 12512
  min-rate: 5000000
  max-rate: 100000000
  tx_packets: 2
  tx_bytes: 2000
  tx_errors: 0
`);
});

test('a queue below a packet a second has as much, and nothing above it to borrow', async () => {
  const run = show({
    type: 'linux-htb',
    otherConfig: {},
    queues: [queue(0, { 'max-rate': '1000' })],
  });
  expect(await run('qos/show', 'p')).toBe(`QoS: p linux-htb
max-rate: 10000000000

Default:
  burst: 12512
  min-rate: 12000
  tx_packets: 0
  tx_bytes: 0
  tx_errors: 0
`);
});

test('types that leave the port alone, or are none', async () => {
  for (const type of ['linux-noop', 'egress-policer', 'trtcm-policer', 'foo', '']) {
    const run = show({ type, otherConfig: {}, queues: [queue(0)] });
    expect(await run('qos/show', 'p')).toBe('QoS not configured on p\n');
  }
});

test('a type without queues', async () => {
  const run = show({
    type: 'linux-netem',
    otherConfig: { latency: '20000', loss: '3' },
    queues: [queue(0)],
  });
  expect(await run('qos/show', 'p')).toBe(
    'QoS: p linux-netem\nlatency: 20000\nlimit: 1000\nloss: 3\n',
  );
});
