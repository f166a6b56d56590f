/** The authority that a peer shows: what `bootstrap_ca_cert` keeps of the first connection (ovs-vswitchd.conf.db(5), SSL table). */
import type { DetailedPeerCertificate } from 'node:tls';

const MAX_CHAIN = 16;

const pemOf = (der: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replaceAll(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`;

/** The self-signed end of a chain as PEM, null where the peer shows none. */
export function rootCertificate(leaf: DetailedPeerCertificate): string | null {
  let at = leaf;
  for (let i = 0; i < MAX_CHAIN; i++) {
    const issuer = at?.issuerCertificate;
    if (issuer === undefined || issuer === null) return null;
    if (issuer.fingerprint256 === at.fingerprint256) return pemOf(at.raw);
    at = issuer;
  }
  return null;
}
