/** The heap against a plain list: after each of many random changes both have the same greatest priority. */
import { expect, test } from 'vitest';
import { MaxHeap } from '../../src/util/max-heap.ts';
import { random32 } from '../ofproto/lab.ts';

test('the greatest item is at hand after any change', () => {
  const random = random32(12);
  const heap = new MaxHeap<number>();
  const plain = new Map<number, number>();
  expect(heap.max).toBeNull();
  for (let i = 0; i < 5000; i++) {
    const item = random() % 40;
    const priority = random() % 12;
    heap.set(item, priority);
    if (priority === 0) plain.delete(item);
    else plain.set(item, priority);
    expect(heap.size).toBe(plain.size);
    expect(heap.priority(item)).toBe(priority);
    const greatest = Math.max(0, ...plain.values());
    expect(heap.max === null ? 0 : plain.get(heap.max)).toBe(greatest);
  }
});
