import { describe, expect, test } from 'vitest';
import { placeQueues } from '../../src/datapath/queue-places.ts';

describe('placing receive queues', () => {
  test('takes the worker with the fewest, the first of equals', () => {
    const loads = [2, 0, 1];
    expect(placeQueues(1, loads)).toEqual([1]);
    expect(placeQueues(1, loads)).toEqual([1]);
    expect(placeQueues(1, loads)).toEqual([2]);
    expect(loads).toEqual([2, 2, 2]);
  });

  test('gives queues of one port to different workers as far as there are', () => {
    expect(placeQueues(3, [5, 0])).toEqual([1, 0, 1]);
    expect(placeQueues(2, [0, 0, 0, 0])).toEqual([0, 1]);
    expect(placeQueues(2, [7])).toEqual([0, 0]);
  });
});
