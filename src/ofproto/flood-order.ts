/**
 * The order in which the original floods: that of its hash table of ports, which the texts of its tests show. Ports
 * stand in buckets by the low bits of the hash of their numbers, the youngest of a bucket first.
 */
import { hashTwoWords } from './xlate/flow-hash.ts';

/** Buckets of a table that grew one element at a time to `count`. */
function bucketsOf(count: number): number {
  let buckets = 1;
  for (let n = 1; n <= count; n++) {
    if (n >> 1 <= buckets - 1) continue;
    buckets = 4;
    while (buckets - 1 < n >> 1) buckets *= 2;
  }
  return buckets;
}

/** `ports` in the order in which they were added. */
export function hashOrder<P extends { readonly ofPort: number }>(ports: readonly P[]): P[] {
  const buckets: P[][] = Array.from({ length: bucketsOf(ports.length) }, () => []);
  for (const port of ports) {
    buckets[hashTwoWords(port.ofPort, 0) & (buckets.length - 1)].unshift(port);
  }
  return buckets.flat();
}
