/**
 * Where a database listens: the active connection methods of ovsdb(7), as they stand on the command line.
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
