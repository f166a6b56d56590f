/**
 * Throws bytes at every decapsulation for as long as it is told: `node scripts/run.mjs test/fuzz/tunnel-decap.ts [minutes [seed]]`, from the
 * top folder. Fails, with the bytes, when a decoder throws (a read past the end does) or answers a length that cannot be.
 */
import { random } from '../packet/bytes.ts';
import { DECODERS, decodeAll } from '../tunnels/decoders.ts';

const minutes = Number(process.argv[2] ?? 10);
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000);
const next = random(seed);
const until = performance.now() + minutes * 60_000;
let count = 0;
while (performance.now() < until) {
  for (let n = 0; n < 1000; n++, count++) {
    const bytes = Uint8Array.from({ length: next() % 320 }, () => next());
    const { start } = DECODERS[next() % DECODERS.length];
    if (bytes.length >= start.length && next() % 4 !== 0) bytes.set(start);
    try {
      decodeAll(bytes);
    } catch (failure) {
      console.error(`seed ${seed}, packet ${count}: ${failure}`);
      console.error(Buffer.from(bytes).toString('hex'));
      process.exit(1);
    }
  }
}
console.log(`seed ${seed}: ${count} packets`);
