/**
 * A match without what it cannot mean: fields of a header that nothing in it says to be there. The original's client takes a flow that
 * has some, leaves them out, and tells so.
 */
import type { Match } from '../../flowtable/match.ts';
import * as K from '../../packet/key.ts';
import { MatchFields, namedField } from '../codec/match-fields.ts';

const IPV6_WORDS = K.IPV6_FLABEL - K.IPV6_SRC + 1;
const ND_TARGET_WORDS = K.ARP_SHA - K.ND_TARGET;
const OF_PORTS: ReadonlySet<number> = new Set([6, 17, 132]);
const OF_PORTS_OR_ICMP: ReadonlySet<number> = new Set([...OF_PORTS, 1, 2]);
const OF_PORTS_OR_ICMP6: ReadonlySet<number> = new Set([...OF_PORTS, 58]);

const run = (first: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => first + i);

/** Words that make sense by what the match says of its packets, and those that need it. */
function senseless(m: MatchFields): number[] {
  const isIpv4 = m.allows('ipv4');
  const isIpv6 = m.allows('ipv6');
  const isSolicit = m.allows('nd solicit');
  const isAdvert = m.allows('nd advert');
  const withPorts = isIpv4 ? OF_PORTS_OR_ICMP : isIpv6 ? OF_PORTS_OR_ICMP6 : new Set<number>();
  const rules: readonly (readonly [boolean, readonly number[]])[] = [
    [m.allows('ethernet'), run(K.ETH_DST, 3)],
    [isIpv4 || m.isArp, [K.IPV4_SRC, K.IPV4_DST]],
    [m.isIp, [K.TOS_TTL]],
    [withPorts.has(m.ipProto), [K.TP]],
    [m.isIp && m.ipProto === 6, [K.TCP_FLAGS]],
    [isIpv6, run(K.IPV6_SRC, IPV6_WORDS)],
    [isSolicit || isAdvert, run(K.ND_TARGET, ND_TARGET_WORDS)],
    [m.isMpls, [K.MPLS_LSE]],
  ];
  return rules.flatMap(([makesSense, words]) => (makesSense ? [] : words));
}

/** The same object when there is nothing to leave out. */
export function normalizeMatch(match: Match): Match {
  const m = MatchFields.of(match);
  const senselessWords = senseless(m).filter((word) => match.words.includes(word));
  for (const word of senselessWords) m.clearWord(word);
  let changed = senselessWords.length > 0;
  const leaveOut = (name: string): void => {
    const field = namedField(name);
    if (!m.has(field)) return;
    m.wildcard(field);
    changed = true;
  };
  if (!m.isIp && !m.isArp) leaveOut('nw_proto');
  if (match.words.some((word) => word >= K.ARP_SHA && word <= K.ARP_THA) && !m.isArp) {
    if (!m.allows('nd solicit')) leaveOut('arp_sha');
    if (!m.allows('nd advert')) leaveOut('arp_tha');
  }
  return changed ? m.build() : match;
}
