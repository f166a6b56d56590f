/** Keys and certificates for ssl: and pssl: targets, from the SSL table: PEM texts, read again whenever a connection is made. */
import type { TLSSocketOptions } from 'node:tls';

export interface TlsFiles {
  readonly privateKey: string;
  readonly certificate: string;
  readonly caCertificate: string;
}

/** Both sides show certificates. Those of ovs-pki name no host: what is trusted is the private CA. */
export const tlsOptions = (files: TlsFiles) =>
  ({
    key: files.privateKey,
    cert: files.certificate,
    ca: files.caCertificate,
    requestCert: true,
    rejectUnauthorized: true,
    checkServerIdentity: () => undefined,
  }) satisfies TLSSocketOptions & { checkServerIdentity: () => undefined };
