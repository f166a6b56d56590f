/**
 * Why a device is missing: it lies in a named network namespace, or its name is nearly that of another.
 *
 * A namespace is looked into by entering it, opening a netlink socket and leaving again, all in one synchronous
 * stretch of the calling thread: a socket stays in the namespace of its birth. No process is started for it, and
 * nothing else of the thread runs meanwhile.
 */
import { closeSync, openSync, readdirSync } from 'node:fs';
import { setns } from './libc.ts';
import { attributesOf, NetlinkSocket, textOf } from './netlink.ts';
import { check } from './system-error.ts';

const CLONE_NEWNET = 0x40000000;
const RTM_GETLINK = 18;
const IFLA_IFNAME = 3;
const IFINFO_BYTES = 16;
/** More namespaces than this are not searched: a hint is not worth the time. */
const MAX_NAMESPACES = 256;

export interface MissingDeviceOptions {
  /** Names of the devices that do exist here. */
  existing: Iterable<string>;
  /** Where `ip netns` keeps its names. */
  netnsDirectory?: string;
}

/** The text for an Interface's `error` column, as specific as can be found out. */
export function describeMissingDevice(name: string, options: MissingDeviceOptions): string {
  const base = `could not open network device ${name} (No such device)`;
  const namespace = namespaceOf(name, options.netnsDirectory ?? '/run/netns');
  if (namespace !== undefined) return `${base}; it is in network namespace "${namespace}"`;
  const near = nearestName(name, options.existing);
  return near === undefined ? base : `${base}; did you mean ${near}?`;
}

/** The named namespace that has a device of this name, undefined when none has or none may be entered. */
function namespaceOf(name: string, directory = '/run/netns'): string | undefined {
  let namespaces: string[];
  try {
    namespaces = readdirSync(directory);
  } catch {
    return undefined;
  }
  return namespaces.slice(0, MAX_NAMESPACES).find((each) => isIn(name, `${directory}/${each}`));
}

function isIn(name: string, namespacePath: string): boolean {
  try {
    const socket = inNamespace(namespacePath, () => new NetlinkSocket());
    try {
      let found = false;
      socket.request(
        RTM_GETLINK,
        0,
        new Uint8Array(IFINFO_BYTES),
        [[IFLA_IFNAME, name]],
        name,
        (answer) => {
          const label = attributesOf(answer.body, IFINFO_BYTES).get(IFLA_IFNAME);
          found = label !== undefined && textOf(label) === name;
        },
      );
      return found;
    } finally {
      socket.close();
    }
  } catch {
    // No such device there, a stale name, or no permission: no hint from this namespace.
    return false;
  }
}

/** Runs `f`, which must not wait for anything, with the calling thread in another network namespace. */
function inNamespace<T>(path: string, f: () => T): T {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  try {
    const there = openSync(path, 'r');
    try {
      check(setns(there, CLONE_NEWNET), 'setns', path);
    } finally {
      closeSync(there);
    }
    try {
      return f();
    } finally {
      // Going on in the wrong namespace would be worse than ending.
      if (setns(home, CLONE_NEWNET) < 0) process.abort();
    }
  } finally {
    closeSync(home);
  }
}

/** The existing name that differs least, by at most two edits and by less than half of its characters. */
export function nearestName(name: string, existing: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.min(3, Math.ceil(name.length / 2));
  for (const other of existing) {
    if (other === 'lo' || Math.abs(other.length - name.length) >= bestDistance) continue;
    const distance = editDistance(name, other);
    if (distance > 0 && distance < bestDistance) {
      best = other;
      bestDistance = distance;
    }
  }
  return best;
}

/** Insertions, deletions and replacements that lead from one to the other. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}
