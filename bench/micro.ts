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
import { NativeTunnels } from '../src/datapath/native-tunnels.ts';
import { ProgramBuilder } from '../src/datapath/program.ts';
import { translate } from '../src/ofproto/xlate/translate.ts';
import { sumBytes } from '../src/packet/checksum.ts';
import { extract } from '../src/packet/extract.ts';
import {
  DP_WORDS,
  ETH_DST,
  ETH_SRC,
  ETH_TYPE_PROTO,
  FLOW_WORDS,
  IN_PORT,
  IPV4_SRC,
  TOS_TTL,
  TP,
} from '../src/packet/key.ts';
import { popVlan, pushVlan } from '../src/packet/push-pop.ts';
import { setWord } from '../src/packet/rewrite.ts';
import { heapRegion } from '../src/sys/region.ts';
import { Encapsulation } from '../src/tunnels/outer-header.ts';
import { flowOf, Lab } from '../test/ofproto/lab.ts';
import { buildFrame } from '../test/packet/frame-builder.ts';
import { classifierOf, entriesOf, flowsOf, LOOKUPS } from './micro-classifier.ts';

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

/** A TNL_PUSH of an outer header of Ethernet, IPv4, UDP and VXLAN. */
function vxlanPush(): Int32Array {
  const header = Uint8Array.from([
    ...[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0],
    ...[0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2],
    ...[0, 0, 4789 >> 8, 4789 & 255, 0, 0, 0, 0],
    ...[8, 0, 0, 0, 0, 0, 42, 0],
  ]);
  const program = new ProgramBuilder();
  program.tnlPush(1, 2, Encapsulation.VXLAN, (32_768 << 16) | 61_000, header);
  return program.take();
}

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
  const name = `megaflow lookup, ${masks} mask${masks === 1 ? '' : 's'}`;
  add(name, BATCH_FRAMES, () => {
    udp.flow.fill(0);
    cache.lookup(udp, udp.flow, udp.count);
  });
  // find() does not ask the exact-match cache in front.
  add(
    `${name}, past the exact-match cache`,
    BATCH_FRAMES,
    perFrame(udp, (p) => {
      sink += cache.find(udp.keys, p * DP_WORDS);
    }),
  );
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
const vxlan = vxlanPush();
const tunnels = new NativeTunnels(region, []);
const encapsulate = (batch: Batch) =>
  perFrame(batch, (p) => {
    tunnels.push(batch, p, vxlan, 0);
    // Back to where the frame was; what was written in front of it stays.
    batch.start[p] += vxlan[5] as number;
    batch.room[p] += vxlan[5] as number;
    batch.length[p] -= vxlan[5] as number;
  });
add('encapsulate in VXLAN, whole outer header', BATCH_FRAMES, encapsulate(udp));
add(
  'checksum of a full frame',
  BATCH_FRAMES,
  perFrame(full, (p) => {
    sink += sumBytes(region.view, full.start[p] as number, full.length[p] as number);
  }),
);
for (const [label, count] of [
  ['1k', 1000],
  ['10k', 10_000],
  ['100k', 100_000],
] as const) {
  if (only !== '' && !only.startsWith('classifier')) continue;
  const entries = entriesOf(count);
  const table = classifierOf(entries);
  const flows = flowsOf(count);
  const mask = new Uint32Array(FLOW_WORDS);
  add(`classifier insert, ${label} rules of 20 masks`, count, () => {
    sink += classifierOf(entries).size;
  });
  add(`classifier lookup, ${label} rules of 20 masks`, LOOKUPS, () => {
    for (let i = 0; i < LOOKUPS; i++) {
      sink += (table.lookup(flows[i] as Uint32Array, mask) ?? { priority: 0 }).priority;
    }
  });
}
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
