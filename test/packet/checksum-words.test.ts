import { expect, test } from 'vitest';
import { checksumOf, sumBytes, sumWords } from '../../src/packet/checksum.ts';
import { random32 } from '../ofproto/lab.ts';

test('the sum by whole words is the plain one, for every length and any bytes', () => {
  const words = random32(5);
  const buffer = new ArrayBuffer(70_000);
  const bytes = new Uint8Array(buffer);
  const [view, whole] = [new DataView(buffer), new Int32Array(buffer)];
  for (let round = 0; round < 300; round++) {
    const fill = round % 3 === 0 ? 0xff : -1;
    for (let i = 0; i < 2000; i++) bytes[i] = fill < 0 ? words() : fill;
    const at = words() % 16;
    const length = round < 40 ? round : words() % 1900;
    const plain = checksumOf(sumBytes(view, 4 * at, length));
    // 0 and 0xffff are the same sum.
    expect(checksumOf(sumWords(whole, at, length)) % 0xffff).toBe(plain % 0xffff);
  }
  bytes.fill(0xff);
  expect(checksumOf(sumWords(whole, 0, 65_535)) % 0xffff).toBe(
    checksumOf(sumBytes(view, 0, 65_535)) % 0xffff,
  );
});
