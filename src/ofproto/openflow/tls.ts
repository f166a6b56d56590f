/**
 * TLS for ssl: and pssl: targets. Both sides show certificates; those of ovs-pki name no host, so what is trusted is the authority that
 * signed them (ovs-vswitchd.conf.db(5), SSL table). Files are asked for whenever a connection is made: renewed ones count from the next on.
 */
import type { Socket } from 'node:net';
import { connect, createServer, type TLSSocket, type TLSSocketOptions } from 'node:tls';
import { rootCertificate } from './root-certificate.ts';

/** PEM texts, known to fit together. */
export interface TlsFiles {
  readonly privateKey: string;
  readonly certificate: string;
  readonly authority: TlsAuthority;
}

/** Whose signature counts. `first`: nobody's yet; what the first peer shows is kept by `keep`, which returns what went wrong. */
export type TlsAuthority =
  | { readonly kind: 'known'; readonly pem: string }
  | { readonly kind: 'anyone' }
  | { readonly kind: 'first'; readonly keep: (pem: string) => string | null };

const HANDSHAKE_MS = 30_000;

/** Peers are judged by `refusal`, so that the log can say why. */
const optionsOf = ({ privateKey, certificate, authority }: TlsFiles) =>
  ({
    key: privateKey,
    cert: certificate,
    ...(authority.kind === 'known' ? { ca: authority.pem } : {}),
    requestCert: true,
    rejectUnauthorized: false,
  }) satisfies TLSSocketOptions & { key: string };

/** Begins a connection. It is secure at `secureConnect`: ask refusal() then. */
export const connectTls = (host: string, port: number, files: TlsFiles): TLSSocket =>
  connect({ host, port, ...optionsOf(files), checkServerIdentity: () => undefined }).setNoDelay();

/** Secures a connection that came in; one of the two is called, once, and after `failed` the socket is gone. */
export function acceptTls(
  raw: Socket,
  files: TlsFiles,
  accepted: (socket: TLSSocket) => void,
  failed: (why: string) => void,
): void {
  const server = createServer({ ...optionsOf(files), handshakeTimeout: HANDSHAKE_MS });
  server.once('secureConnection', (socket) => {
    const why = refusal(socket, files.authority);
    if (why === null) accepted(socket);
    else {
      socket.on('error', () => {});
      socket.destroy();
      failed(why);
    }
  });
  server.once('tlsClientError', (error) => {
    raw.destroy();
    failed(tlsText(error));
  });
  // A server that never listens takes connections this way (Node.js, tls.Server, 'connection').
  server.emit('connection', raw);
}

/** Why a peer is not talked to, null when it may be. The first peer ever is not, either: the next time its authority is known. */
export function refusal(socket: TLSSocket, authority: TlsAuthority): string | null {
  if (authority.kind === 'anyone') return null;
  if (authority.kind === 'known') {
    if (socket.authorized) return null;
    return `error:0A000086:SSL routines::certificate verify failed (${socket.authorizationError})`;
  }
  const root = rootCertificate(socket.getPeerCertificate(true));
  if (root === null) return 'failed to bootstrap CA cert: the peer shows none that is self-signed';
  const why = authority.keep(root);
  return why ?? 'killing successful connection to retry using CA cert';
}

/** What TLS itself complained of; null for errors of the system below. */
export const tlsComplaint = (error: NodeJS.ErrnoException): string | null =>
  error.errno === undefined ? tlsText(error) : null;

/** OpenSSL's words without its thread, function and line. */
const tlsText = ({ message }: Error): string => {
  const [, number, words] = /error:([0-9A-F]+):SSL routines:[^:]*:([^:]+)/.exec(message) ?? [];
  return words === undefined ? message : `error:${number}:SSL routines::${words}`;
};
