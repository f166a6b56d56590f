/**
 * `npm run bench:peers`: this switch, Open vSwitch's userspace datapath with and without its TSO setting, and
 * the kernel's bridge, each between two hosts of its own on one topology.
 *
 * They take turns (contest.ts) in the rows of peer-rows.ts. A benchmark, not a test: it always succeeds, and the reader judges.
 * Results go to bench/results/peers.md, .json and .svg.
 */
import { Contest } from './contest.ts';
import { boot, type Joined, KERNEL, OURS, OVS, OVS_TSO } from './contestant.ts';
import { sendIfAsked } from './frame-sender.ts';
import { readOptions } from './options.ts';
import { ROWS } from './peer-rows.ts';

sendIfAsked();
const PEERS = [OURS, OVS, OVS_TSO, KERNEL];
const options = readOptions(
  PEERS.map(({ name }) => name),
  ROWS.map(({ name }) => name),
);
const ready: Joined[] = [];

const shutdown = async (): Promise<void> => {
  await Promise.all(ready.map(({ machine }) => machine.shutdown()));
};
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    shutdown().then(() => process.exit(130));
  });

try {
  for (const peer of PEERS)
    if (options.only.includes(peer.name)) ready.push(await boot(peer, options.pin));
  const contest = new Contest(ready, ROWS, options);
  await contest.run({
    name: 'peers',
    title: 'ts-vswitch and its peers',
    notes: [
      'In brackets: processor time of the daemon while its row ran, of one core.',
      'Frame sizes with their checksum; the sender sends as fast as it can and shares two processors with the switch.',
      'Both switches run with a niceness of -10, ours for deciding about new flows -5.',
      'Flow set-up: each frame is a connection of its own, rules read both ports, NORMAL forwards.',
    ],
  });
} finally {
  await shutdown();
}
