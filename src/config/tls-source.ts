/**
 * The keys and certificates of the SSL table, read when a connection wants them, so that files renewed in place count from the next
 * connection on.
 */
import { readFileSync } from 'node:fs';
import type { WantedTls } from './wanted.ts';

export interface PemTexts {
  readonly privateKey: string;
  readonly certificate: string;
  readonly caCertificate: string;
}

export class TlsSource {
  private paths: WantedTls | null = null;
  private readonly complain: (why: string) => void;
  private said = '';

  /** `complain` hears why files cannot be read, once for each reason. */
  constructor(complain: (why: string) => void) {
    this.complain = complain;
  }

  configure(paths: WantedTls | null): void {
    this.paths = paths;
  }

  /** Null where there are none, or none that can be read. */
  files(): PemTexts | null {
    const { paths } = this;
    if (paths === null) return null;
    try {
      const read = (path: string): string => readFileSync(path, 'utf8');
      return {
        privateKey: read(paths.privateKey),
        certificate: read(paths.certificate),
        caCertificate: read(paths.caCertificate),
      };
    } catch (error) {
      const why = (error as Error).message;
      if (why !== this.said) this.complain(why);
      this.said = why;
      return null;
    }
  }
}
