/**
 * Decodes damaged OpenFlow messages for as long as it is told: `node scripts/run.mjs test/fuzz/openflow-decode.ts [minutes [seed]]`, from the top
 * folder, ten minutes unless told otherwise. Each message is one that the original's programs sent (test/ofproto/codec/fixtures), changed.
 *
 * It fails, with the bytes, when decoding throws, when what was read cannot be written and read again as the same, when one message takes
 * long, or when memory grows. A crasher belongs into the fixtures.
 */
import { performance } from 'node:perf_hooks';
import { decodeMessage, encodeMessage } from '../../src/ofproto/codec/messages.ts';
import type { OfVersion } from '../../src/ofproto/codec/versions.ts';
import { mutated } from '../ofproto/codec/mutate.ts';
import { recordedMessages } from '../ofproto/codec/recorded.ts';
import { random } from '../packet/bytes.ts';

/** One message of 64 KiB takes some milliseconds. */
const SLOW_MS = 50;
const GROWTH_BYTES = 300 << 20;

const minutes = Number(process.argv[2] ?? 10);
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000);
const next = random(seed);
const corpus = recordedMessages();
const until = performance.now() + minutes * 60_000;
const before = process.memoryUsage().heapUsed;

let count = 0;
let read = 0;
let slowest = 0;

function fail(why: unknown, bytes: Uint8Array): never {
  console.error(`seed ${seed}, message ${count}: ${why}`);
  console.error(Buffer.from(bytes).toString('hex'));
  process.exit(1);
}

function once(bytes: Uint8Array): void {
  const version = (bytes[0] >= 1 && bytes[0] <= 6 ? bytes[0] : 4) as OfVersion;
  const context = { version, flowModTableId: true };
  const start = performance.now();
  const got = decodeMessage(bytes, context);
  let tookMs = performance.now() - start;
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
    const bytes = mutated(corpus, next);
    try {
      once(bytes);
    } catch (e) {
      fail(e instanceof Error ? e.stack : e, bytes);
    }
  }
  const grown = process.memoryUsage().heapUsed - before;
  if (grown > GROWTH_BYTES) fail(`${grown} bytes more memory`, new Uint8Array(0));
}
console.log(`seed ${seed}: ${count} messages, ${read} read, slowest ${slowest.toFixed(1)} ms`);
