/**
 * Hosts of a lab: network namespaces on a veth pair with the kernel's default offloads, and the questions
 * one asks between two hosts (does it ping, does TCP pass, how fast).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Machine } from './machine.ts';

/**
 * A namespace `name` whose eth0 is the peer of `port` in the machine's own namespace. Without `ipv6` neither
 * end says a word that it was not asked for.
 */
export const addHost = async (
  machine: Machine,
  host: { name: string; port: string; address?: string; mac?: string; ipv6?: boolean },
): Promise<void> => {
  const mac = host.mac === undefined ? '' : ` address ${host.mac}`;
  await machine.sh(`ip netns add ${host.name}`);
  await machine.sh(`ip -n ${host.name} link set lo up`);
  await machine.sh(`ip link add ${host.port} type veth peer name eth0${mac} netns ${host.name}`);
  if (host.ipv6 === false) {
    await machine.sh(
      `ip netns exec ${host.name} sh -c 'echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6'`,
    );
    await machine.sh(`echo 1 > /proc/sys/net/ipv6/conf/${host.port}/disable_ipv6`);
  }
  if (host.address !== undefined)
    await machine.sh(`ip -n ${host.name} addr add ${host.address} dev eth0`);
  await machine.sh(`ip -n ${host.name} link set eth0 up`);
};

/** True when at least one of three echo requests is answered. */
export const pings = async (machine: Machine, from: string, to: string): Promise<boolean> => {
  const outcome = await machine.run(`ip netns exec ${from} ping -n -c 3 -i 0.2 -W 1 ${to}`);
  return outcome.status === 0;
};

/** Pings until an answer comes; false after `timeoutMs`. */
export const pingsWithin = async (
  machine: Machine,
  from: string,
  to: string,
  timeoutMs: number,
): Promise<boolean> => {
  const end = Date.now() + timeoutMs;
  while (Date.now() < end) if (await pings(machine, from, to)) return true;
  return false;
};

/** Result of one iperf3 run. */
export interface Transfer {
  readonly bitsPerSecond: number;
  readonly bytes: number;
  readonly retransmits: number;
}

interface IperfReport {
  error?: string;
  end?: {
    sum_received?: { bits_per_second: number; bytes: number };
    sum_sent?: { retransmits?: number };
  };
}

/** One TCP transfer by iperf3 from one host to another. All zero when nothing got through. */
export const transfer = async (
  machine: Machine,
  path: { from: string; to: string; address: string; seconds: number; extra?: string },
): Promise<Transfer> => {
  const server = machine.start(`ip netns exec ${path.to} iperf3 -s -1 --idle-timeout 15`);
  await machine.until(`ip netns exec ${path.to} ss -Hltn sport = :5201`, (out) => out !== '');
  await sleep(50);
  const client = await machine.run(
    `ip netns exec ${path.from} iperf3 -c ${path.address} -t ${path.seconds} --connect-timeout 3000 -J ${path.extra ?? ''}`,
    { timeoutMs: (path.seconds + 12) * 1000 },
  );
  const report = parseReport(client.stdout);
  if (server.running())
    await machine.run(
      `for p in $(ip netns pids ${path.to}); do case "$(cat /proc/$p/comm)" in iperf3) kill $p;; esac; done`,
    );
  await server.ended;
  return {
    bitsPerSecond: report.end?.sum_received?.bits_per_second ?? 0,
    bytes: report.end?.sum_received?.bytes ?? 0,
    retransmits: report.end?.sum_sent?.retransmits ?? 0,
  };
};

const parseReport = (text: string): IperfReport => {
  try {
    return JSON.parse(text) as IperfReport;
  } catch {
    return {};
  }
};
