/**
 * Throws bytes at every decapsulation for as long as it is told: `npm run soak:decap -- [minutes [seed]]`, from the top folder. Fails, with the bytes, when a decoder throws (a read past the end does) or answers a length that cannot be.
 */
import { random } from '../packet/bytes.ts';
import { DECODERS, decodeAll, outerPacket, popAll } from '../tunnels/decoders.ts';

const minutes = Number(process.argv[2] ?? 10);
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000);
const next = random(seed);
const until = performance.now() + minutes * 60_000;
let count = 0;
let good = 0;
while (performance.now() < until) {
  for (let n = 0; n < 1000; n++, count++) {
    const bytes = Uint8Array.from({ length: next() % 320 }, () => next());
    const { start } = DECODERS[next() % DECODERS.length];
    if (bytes.length >= start.length && next() % 4 !== 0) bytes.set(start);
    const packet = outerPacket(bytes, next());
    // Every other one with a byte of its outer headers changed, every eighth cut off.
    if (n % 2 === 0) packet[next() % packet.length] ^= next();
    const cut = n % 8 === 0 ? packet.subarray(0, next() % packet.length) : packet;
    try {
      decodeAll(bytes);
      good += popAll(cut);
    } catch (failure) {
      console.error(`seed ${seed}, packet ${count}: ${failure}`);
      console.error(Buffer.from(bytes).toString('hex'));
      process.exit(1);
    }
  }
}
console.log(`seed ${seed}: ${count} packets, ${good} good outer headers`);
