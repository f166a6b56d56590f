/**
 * Where an OpenFlow connection goes to or comes from: the connection methods of ovs-vswitchd.conf.db(5), Controller table.
 */
import { isAbsolute, join } from 'node:path';

export type ActiveTarget =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp' | 'ssl'; readonly host: string; readonly port: number };

export type PassiveTarget =
  | { readonly kind: 'punix'; readonly path: string }
  /** Host null: every address, as the manual page says of a target without one. */
  | { readonly kind: 'ptcp' | 'pssl'; readonly host: string | null; readonly port: number };

/** IANA's port for OpenFlow. */
const OPENFLOW_PORT = 6653;
const MAX_PORT = 65_535;

const isPort = (port: number, least: number): boolean => port >= least && port <= MAX_PORT;

export const isPassive = (target: string): boolean => /^p(tcp|ssl|unix):/.test(target);

/** Reads unix:PATH, tcp:HOST[:PORT] or ssl:HOST[:PORT]; undefined for anything else. Paths that are not absolute lie in `runDir`. */
export function parseActive(text: string, runDir: string): ActiveTarget | undefined {
  if (text.startsWith('unix:')) return unixPath('unix', text.slice(5), runDir);
  const match = /^(tcp|ssl):(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d+))?$/.exec(text);
  if (match === null) return undefined;
  const port = match[4] === undefined ? OPENFLOW_PORT : Number(match[4]);
  if (!isPort(port, 1)) return undefined;
  return { kind: match[1] === 'ssl' ? 'ssl' : 'tcp', host: match[2] ?? match[3], port };
}

/** Reads punix:PATH, ptcp:[PORT][:HOST] or pssl:[PORT][:HOST]; port 0 lets the kernel choose. */
export function parsePassive(text: string, runDir: string): PassiveTarget | undefined {
  if (text.startsWith('punix:')) return unixPath('punix', text.slice(6), runDir);
  const match = /^(ptcp|pssl):(\d+)?(?::(?:\[([^\]]+)\]|([^:[\]]+)))?$/.exec(text);
  if (match === null) return undefined;
  const port = match[2] === undefined ? OPENFLOW_PORT : Number(match[2]);
  if (!isPort(port, 0)) return undefined;
  return { kind: match[1] === 'pssl' ? 'pssl' : 'ptcp', host: match[3] ?? match[4] ?? null, port };
}

function unixPath<K extends 'unix' | 'punix'>(
  kind: K,
  path: string,
  runDir: string,
): { readonly kind: K; readonly path: string } | undefined {
  if (path === '') return undefined;
  return { kind, path: isAbsolute(path) ? path : join(runDir, path) };
}

/**
 * Why a controller's target may not be used on this bridge, null when it may. Whoever can write the database from afar must not reach
 * arbitrary sockets of this machine, nor overwrite its files.
 */
export function forbiddenTarget(text: string, bridge: string, runDir: string): string | null {
  const active = text.startsWith('unix:');
  if (!active && !text.startsWith('punix:')) return null;
  const target = active ? parseActive(text, runDir) : parsePassive(text, runDir);
  if (target === undefined || !('path' in target)) return null;
  const within = target.path.startsWith(`${runDir}/`) && !target.path.split('/').includes('..');
  const own = `${runDir}/${bridge}.`;
  const name = target.path.startsWith(own) ? target.path.slice(own.length) : '';
  const isFree = name !== '' && !name.includes('/') && name !== 'mgmt' && name !== 'snoop';
  const allowed = active ? within : isFree;
  if (allowed) return null;
  return active
    ? `bridge ${bridge}: Not connecting to socket controller "${text}": only sockets in ${runDir} are permitted`
    : `bridge ${bridge}: Not adding Unix domain socket controller "${text}": only punix:${runDir}/${bridge}.NAME is permitted`;
}
