/**
 * `npm run bench:replay [-- FILE.pcap]`: packets of a capture through the whole datapath in memory (receive, extract, look up,
 * execute, send) on one core, in millions a second and nanoseconds a packet. Without a file, a mixture of our own is
 * written to a temporary one and read back.
 *
 * Each row is the best of several passes, in processor time: the machine may be shared, and what others take is not the
 * datapath's. Rows with a target say whether it was reached; "of them by the exact-match cache" is measured, so a row that says it misses does miss.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LookupOptions } from '../src/datapath/megaflow.ts';
import { LOOKUP_MISSED } from '../src/datapath/shared.ts';
import { mixture, readCapture, smallFrames, writeCapture } from './captures.ts';
import { type ReplaySetup, replayDatapath } from './replay-datapath.ts';

const PASSES = 7;
const PASS_PACKETS = 2_000_000;

const FULL: LookupOptions = { generate: true, frontCache: true };
const PLAIN: LookupOptions = { generate: false, frontCache: true };

function replay(name: string, setup: ReplaySetup, targetMpps = 0): void {
  const { core, shared, port, out } = replayDatapath(setup);
  const cache = core.cache;
  const pass = (packets: number): number => {
    let done = 0;
    const before = process.cpuUsage();
    while (done < packets) done += core.poll(port);
    const { user, system } = process.cpuUsage(before);
    return ((user + system) * 1000) / done;
  };
  // Long enough for all to be compiled and for each packet to have come by.
  pass(Math.max(PASS_PACKETS, 2 * setup.frames.length));
  const sentBefore = out.sent;
  const hitsBefore = cache.frontHits;
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < PASSES; run++) best = Math.min(best, pass(PASS_PACKETS));
  const sent = out.sent - sentBefore;
  if (shared.lookups[LOOKUP_MISSED] > 0 || sent < PASSES * PASS_PACKETS) {
    throw new Error(`${name}: packets were lost`);
  }
  const share = (100 * (cache.frontHits - hitsBefore)) / sent;
  const mpps = 1000 / best;
  const verdict =
    targetMpps === 0 ? '' : ` ${mpps >= targetMpps ? '>=' : '< MISSED'} ${targetMpps}`;
  console.log(
    `${name.padEnd(58)} ${best.toFixed(1).padStart(6)} ns ${mpps.toFixed(2).padStart(6)} Mpps  ` +
      `${share.toFixed(0).padStart(3)} % by the exact-match cache${verdict}`,
  );
}

function ownCapture(): Uint8Array[] {
  const folder = mkdtempSync(join(tmpdir(), 'ts-vswitch-replay-'));
  try {
    const path = join(folder, 'mixture.pcap');
    writeCapture(path, mixture(20_000, 1000));
    return readCapture(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const path = process.argv[2];
const capture = path === undefined ? ownCapture() : readCapture(path);
const label = path ?? 'mixture of 1,000 flows';
replay(`${label}, 8 masks`, { frames: capture, masks: 8, lookup: FULL }, 5);
replay(`${label}, 32 masks`, { frames: capture, masks: 32, lookup: FULL });
replay(`${label}, 8 masks, TTL and VLAN tag rewritten`, {
  frames: capture,
  masks: 8,
  lookup: FULL,
  rewrites: true,
});
replay(`${label}, 8 masks, no code generation`, { frames: capture, masks: 8, lookup: PLAIN });
if (path === undefined) {
  replay('60 bytes, 1 flow', { frames: smallFrames(1, 1), masks: 1, lookup: FULL }, 5);
  const many = smallFrames(1 << 17, 1 << 17);
  for (const [text, lookup] of [
    ['', FULL],
    [', no code generation', PLAIN],
  ] as const) {
    const target = lookup === FULL ? 1.5 : 0;
    replay(
      `131,072 flows of packets, 32 megaflows of 32 masks${text}`,
      { frames: many, masks: 32, wide: true, lookup },
      target,
    );
    replay(
      `131,072 flows of packets, as many megaflows, 32 masks${text}`,
      { frames: many, masks: 32, lookup },
      target,
    );
  }
}
