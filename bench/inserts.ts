/**
 * A million megaflows through a cache that may hold 200,000 (Open vSwitch's flow-limit), the oldest giving way: what an insert
 * takes and what memory it leaves. Part of `npm run bench:heap`.
 */
import { MegaflowCache } from '../src/datapath/megaflow.ts';
import { ProgramBuilder } from '../src/datapath/program.ts';
import { RecentPrograms } from '../src/datapath/recent-programs.ts';
import {
  ETH_DST,
  ETH_SRC,
  ETH_TYPE_PROTO,
  IN_PORT,
  IPV4_DST,
  IPV4_SRC,
  TP,
} from '../src/packet/key.ts';

const INSERTS = 1_000_000;
const FLOW_LIMIT = 200_000;
const MASKS = 20;
const WORDS = [IN_PORT, ETH_DST, ETH_SRC, ETH_TYPE_PROTO, IPV4_SRC, IPV4_DST, TP];

export function measureInserts(): void {
  const cache = new MegaflowCache(1);
  const builder = new ProgramBuilder();
  // As the worker makes them of commands.
  const programs = new RecentPrograms();
  const masksOf = Array.from({ length: MASKS }, (_, i) =>
    WORDS.map((word) => (word === IPV4_DST ? (0xffffffff << i) >>> 0 : 0xffffffff)),
  );
  const values = [1, 2, 3, 0x0800_1100, 0, 0, 0];
  const rssBefore = process.memoryUsage().rss;
  const before = process.cpuUsage();
  for (let n = 0; n < INSERTS; n++) {
    const id = n % FLOW_LIMIT;
    if (n >= FLOW_LIMIT) cache.remove(id);
    values[4] = n;
    values[6] = Math.imul(n, 0x9e3779b1) >>> 0;
    builder.reset();
    builder.output(n & 15);
    const words = builder.take();
    const program = programs.get(words, 0, words.length);
    cache.put(id, WORDS, values, masksOf[n % MASKS] as number[], program);
  }
  const { user, system } = process.cpuUsage(before);
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  const mb = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
  console.log(
    `${INSERTS} megaflow inserts, ${cache.flowCount} kept: ${(((user + system) * 1000) / INSERTS).toFixed(0)} ns each, ` +
      `memory grew by ${mb(rss - rssBefore)} (heap ${mb(heapUsed)}, arrays ${mb(arrayBuffers)})`,
  );
}
