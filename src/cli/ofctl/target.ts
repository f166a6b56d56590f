/**
 * Where a switch is reached, as ovs-ofctl(8) spells it: `unix:FILE`, `tcp:HOST[:PORT]`, `ssl:HOST[:PORT]`, or the bare name of a bridge, whose sockets lie
 * in the run directory.
 */
import { existsSync } from 'node:fs';
import type { NetConnectOpts } from 'node:net';
import { fail } from './ofctl-error.ts';

/** OpenFlow's port with IANA. */
const DEFAULT_PORT = 6653;

export interface Target {
  readonly connect: NetConnectOpts;
  /** By TLS. */
  readonly isSecure: boolean;
  /** As messages about the connection name it. */
  readonly name: string;
  /** How a failure to connect begins. */
  readonly failure: string;
}

const unix = (path: string): Target => ({
  connect: { path },
  isSecure: false,
  name: `unix:${path}`,
  failure: `connecting to unix:${path}`,
});

function byHost(method: 'tcp' | 'ssl', rest: string): Target {
  const found =
    /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(rest) ?? fail(`${method}:${rest}: bad address`);
  const port = found[3] === undefined ? DEFAULT_PORT : Number(found[3]);
  const name = `${method}:${rest}`;
  const connect = { host: found[1] ?? found[2], port };
  return { connect, isSecure: method === 'ssl', name, failure: `connecting to ${name}` };
}

/** `socket`: which of a bridge's two sockets is meant by its name. */
export function resolveTarget(name: string, runDir: string, socket: 'mgmt' | 'snoop'): Target {
  if (name.startsWith('unix:')) return unix(name.slice(5));
  if (name.startsWith('tcp:')) return byHost('tcp', name.slice(4));
  if (name.startsWith('ssl:')) return byHost('ssl', name.slice(4));
  if (name.includes(':')) fail(`connecting to ${name} (Address family not supported by protocol)`);
  const ofBridge = `${runDir}/${name}.${socket}`;
  if (existsSync(ofBridge)) {
    return { ...unix(ofBridge), failure: `${name}: failed to connect to socket` };
  }
  if (existsSync(name)) return unix(name);
  return fail(`${name} is not a bridge or a socket`);
}
