/**
 * Decodes damaged OpenFlow messages for as long as it is told: `npm run soak:decode -- [minutes [seed [version]]]`, ten minutes unless told
 * otherwise. Each message is one that the original's programs sent (test/ofproto/codec/fixtures), changed. With a wire version (1 is
 * OpenFlow 1.0, 6 is 1.5; 0 means as recorded) all are given that version, so that bodies of others are tried under its rules, too.
 *
 * It fails, with the bytes, when decoding throws, when what was read cannot be written and read again as the same, when one message takes
 * long or much memory, or when memory grows. A crasher belongs into the fixtures.
 */
import { performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { decodeMessage, encodeMessage } from '../../src/ofproto/codec/messages.ts';
import type { OfVersion } from '../../src/ofproto/codec/versions.ts';
import { mutated } from '../ofproto/codec/mutate.ts';
import { recordedMessages } from '../ofproto/codec/recorded.ts';
import { random } from '../packet/bytes.ts';

/** One message of 64 KiB takes some milliseconds. */
const SLOW_MS = 50;
const GROWTH_BYTES = 300 << 20;
/** What reading one message of at most 64 KiB may take. */
const MESSAGE_BYTES = 64 << 20;

const minutes = Number(process.argv[2] ?? 10);
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000);
const version = Number(process.argv[4] ?? 0);
const next = random(seed);
const recorded = recordedMessages();
const own = recorded.filter((one) => one.version === version);
// Mostly what is of this version, if there is any; a quarter are bodies of other versions.
const corpora = own.length === 0 ? [recorded] : [own, own, own, recorded];
const until = performance.now() + minutes * 60_000;
const before = process.memoryUsage().heapUsed;

let count = 0;
let read = 0;
let slowest = 0;
let largest = 0;

const memory = (): number => {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
};

function fail(why: unknown, bytes: Uint8Array): never {
  console.error(`seed ${seed}, message ${count}: ${why}`);
  console.error(Buffer.from(bytes).toString('hex'));
  process.exit(1);
}

function once(bytes: Uint8Array): void {
  const version = (bytes[0] >= 1 && bytes[0] <= 6 ? bytes[0] : 4) as OfVersion;
  const context = { version, flowModTableId: true };
  const used = memory();
  const start = performance.now();
  const got = decodeMessage(bytes, context);
  let tookMs = performance.now() - start;
  // A collection in between hides what was taken, but not each time.
  largest = Math.max(largest, memory() - used);
  if (largest > MESSAGE_BYTES) fail(`took ${largest} bytes`, bytes);
  // The machine may have been busy with something else.
  for (let again = 0; tookMs > SLOW_MS && again < 5; again++) {
    const from = performance.now();
    decodeMessage(bytes, context);
    tookMs = Math.min(tookMs, performance.now() - from);
  }
  slowest = Math.max(slowest, tookMs);
  if (tookMs > SLOW_MS) fail(`took ${tookMs} ms`, bytes);
  if (!got.ok) return;
  read++;
  // Errors without a name are not kept, and what fills a message may not fit with its padding.
  if (got.message.kind === 'error' || bytes.length > 0xc000 || bytes[0] !== version) return;
  // Writing makes the usual form of what is unusual; the second time there must be nothing left to change.
  let { message } = got;
  let bytesBefore: Uint8Array | null = null;
  for (let round = 0; round < 3; round++) {
    const written = encodeMessage(message, context, got.xid);
    if (round === 2 && Buffer.compare(written, bytesBefore ?? bytes) !== 0) {
      fail('written differently', bytes);
    }
    const again = decodeMessage(written, context);
    if (!again.ok) fail(`written as what is ${again.error}`, bytes);
    if (again.message.kind !== message.kind) fail('written as another kind', bytes);
    message = again.message;
    bytesBefore = written;
  }
}

while (performance.now() < until) {
  for (let i = 0; i < 1000; i++, count++) {
    const bytes = mutated(corpora[next() % corpora.length], next);
    if (version !== 0 && bytes.length > 0) bytes[0] = version;
    try {
      once(bytes);
    } catch (e) {
      fail(e instanceof Error ? e.stack : e, bytes);
    }
  }
  const grown = process.memoryUsage().heapUsed - before;
  if (grown > GROWTH_BYTES) fail(`${grown} bytes more memory`, new Uint8Array(0));
}
const of = version === 0 ? '' : `, version ${version}`;
console.log(
  `seed ${seed}${of}: ${count} messages, ${read} read, slowest ${slowest.toFixed(1)} ms, largest ${(largest / 1024).toFixed(0)} KiB`,
);
