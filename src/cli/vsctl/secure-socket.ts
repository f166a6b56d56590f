/** Sockets under TLS. Certificates of ovs-pki name no host: a peer is known by the authority that signed for it. */
import type { Socket } from 'node:net';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import { rootCertificate } from '../../ofproto/openflow/root-certificate.ts';
import { ConnectionFailure } from './connection-failure.ts';
import type { TlsSettings } from './tls-settings.ts';

const VERIFY_FAILED = 'error:0A000086:SSL routines::certificate verify failed';

/** What a context is made of: asked for before anything is connected. Throws ConnectionFailure where something is missing. */
export function contextOptions(settings: TlsSettings): SecureContextOptions {
  const { key, cert, ca, log, versions } = settings;
  const missing = [
    ...(key === null ? ['Private key'] : []),
    ...(cert === null ? ['Certificate'] : []),
    ...(ca === null ? ['CA certificate'] : []),
  ];
  for (const what of missing) log.err(`${what} must be configured to use SSL`);
  if (key === null || cert === null || ca === null) {
    throw new ConnectionFailure('Protocol not available');
  }
  return { key, cert, ca: [...ca], ...versions };
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** Judges a peer. Throws ConnectionFailure. */
function judge(socket: TLSSocket, { trustsAnyone, keepAuthority, log }: TlsSettings): void {
  if (trustsAnyone) return;
  if (keepAuthority !== null) {
    const root = rootCertificate(socket.getPeerCertificate(true));
    const why =
      root === null
        ? 'failed to bootstrap CA cert: the peer shows none that is self-signed'
        : keepAuthority(root);
    if (why === null) log.info('killing successful connection to retry using CA cert');
    else log.err(why);
  } else if (socket.authorized) return;
  else log.warn(`SSL_connect: ${VERIFY_FAILED}`);
  socket.destroy();
  throw new ConnectionFailure('Protocol error');
}

/** Puts a connection under TLS. Throws ConnectionFailure. */
export async function secured(
  raw: Socket,
  settings: TlsSettings,
  context: SecureContextOptions,
  isServer: boolean,
): Promise<Socket> {
  const { ciphers, log } = settings;
  // Not loaded for nothing: it takes as long as a small command.
  const tls = await import('node:tls');
  try {
    let options = context;
    if (ciphers !== null) {
      try {
        tls.createSecureContext({ ...options, ciphers });
        options = { ...options, ciphers };
      } catch (error) {
        log.err(`SSL_CTX_set_cipher_list: ${messageOf(error)}`);
      }
    }
    const all = { ...options, rejectUnauthorized: false };
    const socket = await new Promise<TLSSocket>((resolve, reject) => {
      const failed = (error: Error): void => {
        log.warn(`SSL_${isServer ? 'accept' : 'connect'}: ${error.message}`);
        reject(new ConnectionFailure('Protocol error'));
      };
      if (isServer) {
        const server = tls.createServer({ ...all, requestCert: true });
        server.once('secureConnection', resolve);
        server.once('tlsClientError', failed);
        // A server that never listens takes connections this way (Node.js, tls.Server, 'connection').
        server.emit('connection', raw);
        return;
      }
      const begun = tls.connect({ ...all, socket: raw, checkServerIdentity: () => undefined });
      begun.once('secureConnect', () => resolve(begun));
      begun.once('error', failed);
    });
    judge(socket, settings);
    return socket;
  } catch (error) {
    raw.destroy();
    if (error instanceof ConnectionFailure) throw error;
    // Keys and certificates that are none.
    log.err(messageOf(error));
    throw new ConnectionFailure('Protocol not available');
  }
}
