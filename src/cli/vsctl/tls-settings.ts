/**
 * What the SSL options say: files are read at once, and what is wrong with them goes to the log under the names of OpenSSL's functions, as by
 * the original. Whether something is missing matters only to who connects by TLS.
 */
import type { SecureVersion } from 'node:tls';
import { systemText } from '../../ovsdb/system-text.ts';
import type { Logger } from '../../util/logger.ts';
import type { TlsOptions } from '../options.ts';

export interface Files {
  /** Both throw what the file system throws. */
  readonly read: (file: string) => string;
  /** Never over a file that is there. */
  readonly create: (file: string, text: string) => void;
}

export interface TlsSettings {
  readonly key: string | null;
  /** With the authorities of --peer-ca-cert behind it. */
  readonly cert: string | null;
  /** Certificates of whom peers must be signed by; null when none was named. */
  readonly ca: readonly string[] | null;
  /** `-C none`: peers need not be known. */
  readonly trustsAnyone: boolean;
  /** Keeps the authority of the first peer; returns what went wrong. Null where it is known already. */
  readonly keepAuthority: ((pem: string) => string | null) | null;
  readonly ciphers: string | null;
  readonly versions: { readonly minVersion?: SecureVersion; readonly maxVersion?: SecureVersion };
  readonly log: Logger;
}

const VERSIONS: readonly SecureVersion[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2'];

const nodeError = (error: unknown): NodeJS.ErrnoException =>
  error instanceof Error ? error : new Error(String(error));

/** OpenSSL's words for an error of the system. */
function opensslText(error: NodeJS.ErrnoException): string {
  const number = (0x8000_0000 + Math.abs(error.errno ?? 0)).toString(16).toUpperCase();
  return `error:${number}:system library::${systemText(error)}`;
}

function versionsOf(protocols: string | undefined, log: Logger): TlsSettings['versions'] {
  if (protocols === undefined) return {};
  const names = protocols.split(/[\s,]+/).filter((name) => name !== '');
  for (const name of names) {
    if (VERSIONS.some((one) => one === name)) continue;
    log.err(`${name}: SSL protocol not recognized`);
    return {};
  }
  const asked = VERSIONS.filter((one) => names.includes(one));
  const minVersion = asked[0];
  const maxVersion = asked.at(-1);
  return minVersion === undefined || maxVersion === undefined ? {} : { minVersion, maxVersion };
}

export function readTlsSettings(options: TlsOptions, files: Files, log: Logger): TlsSettings {
  const read = (file: string | undefined, what: (why: NodeJS.ErrnoException) => string) => {
    if (file === undefined) return null;
    try {
      return files.read(file);
    } catch (error) {
      log.err(what(nodeError(error)));
      return null;
    }
  };
  const key = read(options.privateKey, (why) => `SSL_use_PrivateKey_file: ${opensslText(why)}`);
  const own = read(options.certificate, (why) => `SSL_use_certificate_file: ${opensslText(why)}`);
  const above = read(
    options.peerCaCert,
    (why) => `failed to open ${options.peerCaCert} for reading: ${systemText(why)}`,
  );
  const trustsAnyone = options.caCert === 'none';
  if (trustsAnyone) log.warn('Peer certificate validation disabled (this is a security risk)');
  const { bootstrapCaCert } = options;
  let keepAuthority: TlsSettings['keepAuthority'] = null;
  let ca: string | null = null;
  if (bootstrapCaCert !== undefined) {
    try {
      ca = files.read(bootstrapCaCert);
    } catch {
      keepAuthority = (pem) => {
        try {
          files.create(bootstrapCaCert, pem);
          return null;
        } catch (error) {
          return `could not bootstrap CA cert: creating ${bootstrapCaCert} failed: ${systemText(nodeError(error))}`;
        }
      };
    }
  } else if (!trustsAnyone) {
    ca = read(
      options.caCert,
      (why) => `failed to load client certificates from ${options.caCert}: ${opensslText(why)}`,
    );
  }
  const isNamed = options.caCert !== undefined || bootstrapCaCert !== undefined;
  return {
    key,
    cert: own === null || above === null ? own : `${own}\n${above}`,
    ca: ca !== null ? [ca] : isNamed ? [] : null,
    trustsAnyone,
    keepAuthority,
    ciphers: options.ciphers ?? null,
    versions: versionsOf(options.protocols, log),
    log,
  };
}
