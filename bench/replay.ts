/**
 * `node scripts/run.mjs bench/replay.ts`: frames through the whole datapath in memory (receive, extract, look up, execute,
 * send), in nanoseconds a frame, and what the heap grows by meanwhile: the packet path allocates nothing.
 *
 * Several flows over several masks, by the plain search, with generated code, and with the front cache. With the
 * argument `heap` only the growth of the heap is looked at, over many more frames.
 */
import { Session } from 'node:inspector/promises';
import type { Batch } from '../src/datapath/batch.ts';
import { DatapathCore } from '../src/datapath/core.ts';
import type { PortNo } from '../src/datapath/datapath.ts';
import type { LookupOptions } from '../src/datapath/megaflow.ts';
import type { Port } from '../src/datapath/port.ts';
import { ProgramBuilder } from '../src/datapath/program.ts';
import { Shared } from '../src/datapath/shared.ts';
import { keyOf } from '../src/packet/extract.ts';
import {
  ETH_DST,
  ETH_SRC,
  ETH_TYPE_PROTO,
  IN_PORT,
  IPV4_DST,
  IPV4_SRC,
  TOS_TTL,
  TP,
} from '../src/packet/key.ts';
import { heapRegion } from '../src/sys/region.ts';
import { buildFrame } from '../test/packet/frame-builder.ts';

const SLOT = 256;
const FRAMES = 4096;
const BATCH = 32;

/** Gives the same frames again and again, and counts what is sent. */
class ReplayPort implements Port {
  readonly portNo: PortNo;
  readonly name = 'replay';
  readonly fd = -1;
  mtu = 1500;
  readonly takesOffload = true;
  sent = 0;
  private next = 0;
  private readonly at: number;
  private readonly lengths: Int32Array;
  constructor(portNo: number, at: number, lengths: Int32Array) {
    this.portNo = portNo as PortNo;
    this.at = at;
    this.lengths = lengths;
  }
  receive(batch: Batch): number {
    for (let n = 0; n < BATCH; n++) {
      const i = this.next;
      this.next = i + 1 === this.lengths.length ? 0 : i + 1;
      batch.append(1, this.at + i * SLOT + 64, this.lengths[i], 64);
    }
    return BATCH;
  }
  send(): void {
    this.sent++;
  }
  flush(): void {}
  release(): void {}
  close(): void {}
}

function setup(flows: number, masks: number, options: LookupOptions, rewrites: boolean) {
  const region = heapRegion(32 << 20);
  const shared = new Shared();
  const core = new DatapathCore(
    region,
    shared,
    () => true,
    () => 1,
    1,
    options,
  );
  const at = region.allocate(SLOT * FRAMES);
  const lengths = new Int32Array(FRAMES);
  const program = new ProgramBuilder();
  if (rewrites) {
    program.set(TOS_TTL, 63 << 16, 0xff0000);
    program.pushVlan(0x8100, 0x1005);
  }
  program.output(2);
  const words = [IN_PORT, ETH_DST, ETH_SRC, ETH_TYPE_PROTO, IPV4_SRC, IPV4_DST, TP];
  for (let i = 0; i < FRAMES; i++) {
    const flow = i % flows;
    const { frame, l3, l4 } = buildFrame({ proto: 'udp', payload: new Uint8Array(18) });
    frame[l4] = flow >> 8;
    frame[l4 + 1] = flow & 255;
    frame[l3 + 15] = flow & 255;
    region.bytes.set(frame, at + i * SLOT + 64);
    lengths[i] = frame.length;
    if (i >= flows) continue;
    const key = keyOf(frame, 1);
    const bits = words.map(() => 0xffffffff);
    bits[words.indexOf(IPV4_DST)] = (0xffffffff << (flow % masks)) >>> 0;
    const values = words.map((word, w) => (key[word] & bits[w]) >>> 0);
    core.putFlow(i, { words, values, masks: bits }, program.take());
  }
  const port = new ReplayPort(1, at, lengths);
  const out = new ReplayPort(2, at, lengths);
  core.attach(port);
  core.attach(out);
  return { core, port, out };
}

const PLAIN: LookupOptions = { generate: false, frontCache: false };
const forms: [string, LookupOptions][] = [
  ['plain', PLAIN],
  ['generated', { generate: true, frontCache: false }],
  ['front cache', { generate: false, frontCache: true }],
  ['both', { generate: true, frontCache: true }],
];

function measure(name: string, flows: number, masks: number, form: LookupOptions): void {
  const { core, port, out } = setup(flows, masks, form, false);
  const rounds = 40_000;
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 4; run++) {
    const before = process.hrtime.bigint();
    for (let i = 0; i < rounds; i++) core.poll(port);
    const ns = Number(process.hrtime.bigint() - before) / (rounds * BATCH);
    if (ns < best) best = ns;
  }
  if (out.sent !== 4 * rounds * BATCH) throw new Error('frames were lost');
  console.log(
    `${String(flows).padStart(5)} flows, ${String(masks).padStart(2)} masks, ${name.padEnd(12)} ${best.toFixed(1).padStart(7)} ns`,
  );
}

/** Bytes that V8 has sampled as allocated while batches passed, whether collected since or not. */
async function heap(rewrites: boolean): Promise<void> {
  const { core, port } = setup(4096, 8, { generate: true, frontCache: true }, rewrites);
  for (let i = 0; i < 20_000; i++) core.poll(port);
  const session = new Session();
  session.connect();
  await session.post('HeapProfiler.startSampling', {
    samplingInterval: 1024,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  const rounds = 100_000;
  for (let i = 0; i < rounds; i++) core.poll(port);
  const { profile } = await session.post('HeapProfiler.stopSampling');
  session.disconnect();
  let bytes = 0;
  const sites = new Map<string, number>();
  const visit = (node: typeof profile.head): void => {
    bytes += node.selfSize;
    if (node.selfSize > 0) {
      const { functionName, lineNumber } = node.callFrame;
      const site = `${functionName}:${lineNumber + 1}`;
      sites.set(site, (sites.get(site) ?? 0) + node.selfSize);
    }
    for (const child of node.children) visit(child);
  };
  visit(profile.head);
  const frames = rounds * BATCH;
  console.log(
    `heap ${rewrites ? 'with rewriting' : 'forwarding'}: ${bytes} bytes allocated by ${frames} frames, ${(bytes / frames).toFixed(4)} a frame`,
  );
  for (const [site, size] of [...sites].sort((a, b) => b[1] - a[1]).slice(0, 5)) {
    console.log(`  ${site} ${size}`);
  }
}

if (process.argv[2] !== 'heap') {
  for (const [flows, masks] of [
    [32, 1],
    [4096, 1],
    [4096, 8],
    [4096, 32],
  ]) {
    for (const [name, form] of forms) measure(name, flows, masks, form);
  }
}
await heap(false);
await heap(true);
