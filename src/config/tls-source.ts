/**
 * The keys and certificates of the SSL table, read when a connection wants them, so that files renewed in place count from the next
 * connection on (ovs-vswitchd.conf.db(5), SSL table).
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { systemText } from '../ofproto/openflow/system-text.ts';
import type { TlsAuthority, TlsFiles } from '../ofproto/openflow/tls.ts';
import type { Logger } from '../util/logger.ts';
import type { WantedTls } from './wanted.ts';

/** As ca_cert: peers are not judged. */
const ANYONE = 'none';

export class TlsSource {
  private paths: WantedTls | null = null;
  private readonly log: Logger;
  private said = '';

  /** `log`: module stream_ssl. What is wrong with the files is said once. */
  constructor(log: Logger) {
    this.log = log;
  }

  /** Complains at once of files that will not do. */
  configure(paths: WantedTls | null): void {
    const isNew = JSON.stringify(paths) !== JSON.stringify(this.paths);
    this.paths = paths;
    if (paths === null || !isNew) return;
    if (paths.caCertificate === ANYONE) {
      this.log.warn('Peer certificate validation disabled (this is a security risk)');
    }
    this.said = '';
    this.files();
  }

  /** Null where there are none, or none that can be used. */
  files(): TlsFiles | null {
    const { paths } = this;
    if (paths === null) return this.unusable('Private key must be configured to use SSL');
    try {
      const privateKey = read('private key', paths.privateKey);
      const certificate = read('certificate', paths.certificate);
      const authority = this.authority(paths);
      const ca = authority.kind === 'known' ? { ca: authority.pem } : {};
      createSecureContext({ key: privateKey, cert: certificate, ...ca });
      this.said = '';
      return { privateKey, certificate, authority };
    } catch (error) {
      return this.unusable((error as Error).message);
    }
  }

  private unusable(why: string): null {
    if (why !== this.said) this.log.err(why);
    this.said = why;
    return null;
  }

  private authority(paths: WantedTls): TlsAuthority {
    const { caCertificate, bootstrap } = paths;
    if (caCertificate === ANYONE) return { kind: 'anyone' };
    try {
      return { kind: 'known', pem: read('CA certificate', caCertificate) };
    } catch (error) {
      if (!bootstrap || (error as Unreadable).code !== 'ENOENT') throw error;
    }
    const keep = (pem: string): string | null => {
      try {
        // Never over a file that came meanwhile.
        writeFileSync(caCertificate, pem, { flag: 'wx', mode: 0o644 });
      } catch (error) {
        const why = systemText(error as NodeJS.ErrnoException);
        return `could not bootstrap CA cert: creating ${caCertificate} failed: ${why}`;
      }
      this.log.info(`successfully bootstrapped CA cert to ${caCertificate}`);
      return null;
    };
    return { kind: 'first', keep };
  }
}

class Unreadable extends Error {
  readonly code: string | undefined;
  constructor(message: string, code: string | undefined) {
    super(message);
    this.code = code;
  }
}

function read(what: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const failure = error as NodeJS.ErrnoException;
    throw new Unreadable(`cannot read ${what} ${path}: ${systemText(failure)}`, failure.code);
  }
}
