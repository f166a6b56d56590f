/**
 * Where a database is reached and where one listens: the connection methods of ovsdb(7).
 */
export type Target =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp' | 'ssl'; readonly host: string; readonly port: number };

/** IANA's port for OVSDB. */
const OVSDB_PORT = 6640;

/** Reads unix:PATH, tcp:HOST[:PORT] or ssl:HOST[:PORT], IPv6 in brackets. Returns an error text for anything else. */
export function parseTarget(text: string): Target | string {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    return path === '' ? `${text}: no socket path` : { kind: 'unix', path };
  }
  const match = /^(tcp|ssl):(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d+))?$/.exec(text);
  if (match === null)
    return `${text}: not an active connection method (unix:PATH, tcp:IP:PORT, ssl:IP:PORT)`;
  const port = match[4] === undefined ? OVSDB_PORT : Number(match[4]);
  if (port < 1 || port > 65_535) return `${text}: bad port number`;
  return { kind: match[1] === 'ssl' ? 'ssl' : 'tcp', host: match[2] ?? match[3], port };
}

export type PassiveTarget =
  | { readonly kind: 'punix'; readonly path: string }
  /** Host null: every address. */
  | { readonly kind: 'ptcp' | 'pssl'; readonly host: string | null; readonly port: number };

export const isPassive = (text: string): boolean => /^p(tcp|ssl|unix):/.test(text);

/** Reads punix:PATH, ptcp:[PORT][:HOST] or pssl:[PORT][:HOST]; port 0 lets the kernel choose. Undefined for anything else. */
export function parsePassiveTarget(text: string): PassiveTarget | undefined {
  if (text.startsWith('punix:')) {
    const path = text.slice('punix:'.length);
    return path === '' ? undefined : { kind: 'punix', path };
  }
  const match = /^(ptcp|pssl):(\d+)?(?::(?:\[([^\]]+)\]|([^:[\]]+)))?$/.exec(text);
  if (match === null) return undefined;
  const port = match[2] === undefined ? OVSDB_PORT : Number(match[2]);
  if (port > 65_535) return undefined;
  return { kind: match[1] === 'pssl' ? 'pssl' : 'ptcp', host: match[3] ?? match[4] ?? null, port };
}
