/** Tables of rules for the microbenchmarks: 20 masks (prefixes of the destination, the port), as many rules as wanted. */
import { type Match, MatchBuilder } from '../src/flowtable/match.ts';
import { TupleSpaceClassifier } from '../src/flowtable/tuple-space.ts';
import { ETH_TYPE_PROTO, FLOW_WORDS, IPV4_DST, TP } from '../src/packet/key.ts';

interface Entry {
  readonly priority: number;
  readonly match: Match;
}

const PREFIXES = 10;
const FIRST_PREFIX = 15;
const UDP_OVER_IPV4 = 0x0800_1100;
const TYPE_AND_PROTO = 0xffff_ff00;
export const LOOKUPS = 64;

/** Rule i: a prefix of the destination, each second one with a port; longer prefixes have higher priority. */
export function entriesOf(count: number): Entry[] {
  return Array.from({ length: count }, (_, i) => {
    const prefix = FIRST_PREFIX + (i % PREFIXES);
    const builder = new MatchBuilder()
      .set(ETH_TYPE_PROTO, UDP_OVER_IPV4, TYPE_AND_PROTO)
      .set(IPV4_DST, addressOf(i), (0xffffffff << (32 - prefix)) >>> 0);
    if ((i / PREFIXES) & 1) builder.set(TP, i & 0xffff, 0xffff);
    return { priority: 100 + prefix, match: builder.build() };
  });
}

/** Spread over all addresses, so that rules of one prefix length seldom are the same. */
const addressOf = (i: number): number => Math.imul(i + 1, 0x9e3779b1) >>> 0;

export function classifierOf(entries: readonly Entry[]): TupleSpaceClassifier<Entry> {
  const table = new TupleSpaceClassifier<Entry>();
  for (const entry of entries) table.insert(entry);
  return table;
}

/** Flows that rules of a table of `count` were made for. */
export function flowsOf(count: number): Uint32Array[] {
  return Array.from({ length: LOOKUPS }, (_, n) => {
    const i = Math.floor((n * count) / LOOKUPS);
    const flow = new Uint32Array(FLOW_WORDS);
    flow[ETH_TYPE_PROTO] = UDP_OVER_IPV4;
    flow[IPV4_DST] = addressOf(i);
    flow[TP] = i & 0xffff;
    return flow;
  });
}
