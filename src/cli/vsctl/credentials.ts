/** Keys and certificates of the SSL options, read where the database is reached by TLS. */
import type { Logger } from '../../util/logger.ts';
import type { TlsOptions } from '../options.ts';
import type { Credentials } from './connection.ts';

type ReadFile = (file: string) => string;

/** What a file says; undefined, and a line in the log, where there is none. */
function pem(
  file: string | undefined,
  what: string,
  read: ReadFile,
  log: Logger,
): string | undefined {
  if (file === undefined) {
    log.err(`${what} must be configured to use SSL`);
    return undefined;
  }
  try {
    return read(file);
  } catch (error) {
    log.err(`${file}: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** Null where TLS is not asked for, and where something is missing. */
export function credentialsFor(
  database: string,
  tls: TlsOptions,
  read: ReadFile,
  log: Logger,
): Credentials | null {
  if (!/^p?ssl:/.test(database)) return null;
  const key = pem(tls.privateKey, 'Private key', read, log);
  const cert = pem(tls.certificate, 'Certificate', read, log);
  // Verification is up to whoever says `none`.
  if (tls.caCert === 'none') {
    return key === undefined || cert === undefined
      ? null
      : { key, cert, rejectUnauthorized: false };
  }
  const ca = pem(tls.caCert ?? tls.bootstrapCaCert, 'CA certificate', read, log);
  if (key === undefined || cert === undefined || ca === undefined) return null;
  const ciphers = tls.ciphers === undefined ? {} : { ciphers: tls.ciphers };
  return { key, cert, ca, ...ciphers };
}
