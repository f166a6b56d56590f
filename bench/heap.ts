/**
 * `npm run bench:heap`: what the packet path allocates. Batches run through the whole datapath in memory while V8's sampling heap
 * profiler notes every allocation, collected since or not; the profiler's own traffic is measured by a run of nothing first.
 * Then what a million megaflow inserts leave.
 */
import { Session } from 'node:inspector/promises';
import { BATCH_FRAMES } from '../src/datapath/batch.ts';
import { mixture } from './captures.ts';
import { measureInserts } from './inserts.ts';
import { replayDatapath } from './replay-datapath.ts';

const ROUNDS = 200_000;
const SAMPLE_BYTES = 512;

interface Allocations {
  readonly bytes: number;
  /** Bytes by the function that asked for them. */
  readonly sites: ReadonlyMap<string, number>;
}

async function allocations(body: () => void): Promise<Allocations> {
  const session = new Session();
  session.connect();
  await session.post('HeapProfiler.startSampling', {
    samplingInterval: SAMPLE_BYTES,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  body();
  const { profile } = await session.post('HeapProfiler.stopSampling');
  session.disconnect();
  let bytes = 0;
  const sites = new Map<string, number>();
  const visit = (node: typeof profile.head): void => {
    bytes += node.selfSize;
    if (node.selfSize > 0) {
      const { functionName, url, lineNumber } = node.callFrame;
      const site = `${functionName || '(anonymous)'} ${url.split('/').at(-1)}:${lineNumber + 1}`;
      sites.set(site, (sites.get(site) ?? 0) + node.selfSize);
    }
    for (const child of node.children) visit(child);
  };
  visit(profile.head);
  return { bytes, sites };
}

for (const rewrites of [false, true]) {
  const lookup = { generate: true, frontCache: true };
  const { core, port } = replayDatapath({
    frames: mixture(4096, 1000),
    masks: 8,
    lookup,
    rewrites,
  });
  for (let i = 0; i < 40_000; i++) core.poll(port);
  const idle = await allocations(() => undefined);
  const { bytes, sites } = await allocations(() => {
    for (let i = 0; i < ROUNDS; i++) core.poll(port);
  });
  const frames = ROUNDS * BATCH_FRAMES;
  console.log(
    `${rewrites ? 'rewriting ' : 'forwarding'} ${frames} frames: ${bytes} bytes allocated, ` +
      `${(bytes / frames).toFixed(4)} a frame (the profiler alone: ${idle.bytes})`,
  );
  const largest = [...sites].sort((a, b) => b[1] - a[1]).slice(0, 4);
  for (const [site, size] of largest) console.log(`  ${String(size).padStart(7)} ${site}`);
}
measureInserts();
