/**
 * `npm run bench`: what one frame costs in each stage of the datapath and of translation, in nanoseconds.
 *
 * Bundled like the daemon before it runs, since that is how hot loops are compiled. Each cycle handles one
 * whole batch, the way the packet loop does; figures are per frame. `npm run bench -- lookup` runs the
 * benchmarks whose name contains "lookup".
 */
import Benchmark from 'benchmark';
import { BATCH_FRAMES, Batch } from '../src/datapath/batch.ts';
import { MegaflowCache } from '../src/datapath/megaflow.ts';
import { ProgramBuilder } from '../src/datapath/program.ts';
import { translate } from '../src/ofproto/xlate/translate.ts';
import { sumBytes } from '../src/packet/checksum.ts';
import { extract } from '../src/packet/extract.ts';
import {
  ETH_DST,
  ETH_SRC,
  ETH_TYPE_PROTO,
  IN_PORT,
  IPV4_SRC,
  TOS_TTL,
  TP,
} from '../src/packet/key.ts';
import { popVlan, pushVlan } from '../src/packet/push-pop.ts';
import { setWord } from '../src/packet/rewrite.ts';
import { heapRegion } from '../src/sys/region.ts';
import { flowOf, Lab } from '../test/ofproto/lab.ts';
import { buildFrame } from '../test/packet/frame-builder.ts';

const ROOM = 64;
const SLOT = 2048;
const region = heapRegion(1 << 20);

/** A full batch of frames that differ in their source port, as flows of one conversation partner would. */
const batchOf = (shape: Parameters<typeof buildFrame>[0]): Batch => {
  const batch = new Batch();
  const at = region.allocate(SLOT * BATCH_FRAMES);
  for (let p = 0; p < BATCH_FRAMES; p++) {
    const { frame, l4 } = buildFrame(shape);
    frame[l4 + 1] = p;
    region.bytes.set(frame, at + p * SLOT + ROOM);
    batch.append(1, at + p * SLOT + ROOM, frame.length, ROOM);
  }
  for (let p = 0; p < BATCH_FRAMES; p++) extract(region, batch, p);
  return batch;
};

const payload = new Uint8Array(18).fill(0x5a);
const udp = batchOf({ proto: 'udp', payload });
const tcp6Tagged = batchOf({ proto: 'tcp', payload, ipv6: true, tags: [0x8100_0064] });
const full = batchOf({ proto: 'tcp', payload: new Uint8Array(1406).fill(0x5a) });

/** The batch's flows spread evenly over `masks` subtables, so that sorting them by hits helps nobody. */
const cacheOf = (masks: number): MegaflowCache => {
  const cache = new MegaflowCache(1);
  const program = new ProgramBuilder().take();
  const words = [IN_PORT, ETH_DST, ETH_SRC, ETH_TYPE_PROTO, IPV4_SRC, TP];
  for (let p = 0; p < BATCH_FRAMES; p++) {
    const base = p * (udp.keys.length / BATCH_FRAMES);
    const bits = words.map(() => 0xffffffff);
    bits[words.indexOf(IPV4_SRC)] = (0xffffffff << (p % masks)) >>> 0;
    const values = words.map(
      (word, i) => ((udp.keys[base + word] as number) & (bits[i] as number)) >>> 0,
    );
    cache.put(p, words, values, bits, program);
  }
  return cache;
};

const lab = new Lab();
const bridge = lab.bridge('br0');
await lab.port(bridge, 'p1', 1);
await lab.port(bridge, 'p2', 2, { tag: 10 });
await lab.port(bridge, 'p3', 3);
const flow = flowOf(1, buildFrame({ proto: 'udp', payload }).frame);

const only = process.argv[2] ?? '';
const suite = new Benchmark.Suite();
const framesOf = new Map<string, number>();
let sink = 0;

/** Adds a benchmark whose body handles `frames` frames. */
const add = (name: string, frames: number, body: () => void): void => {
  if (!name.includes(only)) return;
  framesOf.set(name, frames);
  suite.add(name, body, { maxTime: 1 });
};
const perFrame = (batch: Batch, body: (p: number) => void) => () => {
  for (let p = 0; p < batch.count; p++) body(p);
};

add(
  'extract UDP over IPv4',
  BATCH_FRAMES,
  perFrame(udp, (p) => extract(region, udp, p)),
);
add(
  'extract TCP over IPv6, tagged',
  BATCH_FRAMES,
  perFrame(tcp6Tagged, (p) => extract(region, tcp6Tagged, p)),
);
for (const masks of [1, 8, 32]) {
  const cache = cacheOf(masks);
  add(`megaflow lookup, ${masks} mask${masks === 1 ? '' : 's'}`, BATCH_FRAMES, () => {
    udp.flow.fill(0);
    cache.lookup(udp, udp.flow, udp.count);
  });
}
add(
  'push and pop a VLAN tag',
  BATCH_FRAMES,
  perFrame(udp, (p) => {
    pushVlan(region, udp, p, 0x8100_000a);
    popVlan(region, udp, p);
  }),
);
add(
  'rewrite TTL',
  BATCH_FRAMES,
  perFrame(udp, (p) => setWord(region, udp, p, TOS_TTL, 63 << 16, 0xff0000)),
);
add(
  'checksum of a full frame',
  BATCH_FRAMES,
  perFrame(full, (p) => {
    sink += sumBytes(region.view, full.start[p] as number, full.length[p] as number);
  }),
);
add('translate, NORMAL on three ports', 1, () => {
  sink += translate(lab.switch, flow).program.length;
});

suite.on('cycle', (event: Benchmark.Event) => {
  const { name, stats, error } = event.target as unknown as Benchmark & { error?: Error };
  if (error !== undefined) throw error;
  const ns = (stats.mean * 1e9) / (framesOf.get(name as string) ?? 1);
  console.log(
    `${String(name).padEnd(36)} ${ns.toFixed(1).padStart(9)} ns  +-${stats.rme.toFixed(1)} %`,
  );
});
suite.run();
if (sink < 0) console.log(sink);
