/**
 * Other network namespaces, as `ip netns` names them.
 *
 * A namespace is looked into by entering it, opening a socket or a device and leaving again, all in one synchronous
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
/** More namespaces than this are not searched: a look is not worth the time. */
const MAX_NAMESPACES = 256;
/** Where `ip netns` keeps its names. */
export const NETNS_DIRECTORY = '/run/netns';

/** The named namespace that has a device of this name, undefined when none has or none may be entered. */
export function namespaceOf(name: string, directory = NETNS_DIRECTORY): string | undefined {
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
export function inNamespace<T>(path: string, f: () => T): T {
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
