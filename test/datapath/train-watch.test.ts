/** Whether trains get through is told by TCP's own numbers: sent again, or far ahead. */
import { describe, expect, test } from 'vitest';
import { TrainWatch } from '../../src/datapath/train-watch.ts';
import { DP_WORDS, TUN_DST, TUN_IPV6_DST } from '../../src/packet/key.ts';

const TRAIN = 30_000;
const MSS = 1398;
const BLOCKED_FRAMES = 65_536;

/** A flow to a far end, 10.0.0.`host` or fd00::`host`, from a sequence number on. */
function flowTo(watch: TrainWatch, host: number, flow: number, first: number, isIpv6 = false) {
  const keys = new Uint32Array(DP_WORDS);
  if (isIpv6) keys.set([0xfd000000, 0, 0, host], TUN_IPV6_DST);
  else keys[TUN_DST] = 0x0a000000 + host;
  return {
    train: (at: number): boolean => watch.allows(keys, 0, flow, (first + at) >>> 0, TRAIN),
    segment: (at: number): void => watch.seen(keys, 0, flow, (first + at) >>> 0, MSS),
    other: (): boolean => watch.allows(keys, 0, 0, 0, 0),
  };
}
const prove = (flow: { train(at: number): boolean }): void => {
  for (let at = 0; at < 700_000; at += TRAIN) flow.train(at);
};

describe.each([
  ['IPv4', false],
  ['IPv6', true],
])('%s', (_, isIpv6) => {
  test('a far end whose first train is sent again gets none any more, others do', () => {
    const watch = new TrainWatch();
    // The numbers begin again at 0 in the middle.
    const a = flowTo(watch, 1, 77, 0xffff_f000, isIpv6);
    expect(a.train(0)).toBe(true);
    expect(a.train(TRAIN)).toBe(true);
    expect(watch.isWatching).toBe(true);
    a.segment(0);
    expect(watch.isWatching).toBe(false);
    expect(a.train(MSS)).toBe(false);
    expect(a.other()).toBe(false);
    expect(flowTo(watch, 1, 78, 5, isIpv6).train(0)).toBe(false);
    expect(flowTo(watch, 2, 79, 5, isIpv6).train(0)).toBe(true);
  });

  test('a super-frame that begins again where the train did says the same', () => {
    const watch = new TrainWatch();
    const a = flowTo(watch, 1, 77, 1000, isIpv6);
    a.train(0);
    expect(a.train(0)).toBe(false);
  });
});

test('segments behind the train, probes in front of it and other flows say nothing', () => {
  const watch = new TrainWatch();
  const a = flowTo(watch, 1, 77, 100_000);
  a.train(0);
  a.segment(TRAIN - MSS);
  a.segment(-MSS);
  flowTo(watch, 1, 78, 100_000).segment(0);
  flowTo(watch, 2, 77, 100_000).train(0);
  expect(a.train(TRAIN)).toBe(true);
});

test('a far end that has taken half a megabyte loses two trains in a row unharmed, not three', () => {
  const watch = new TrainWatch();
  const a = flowTo(watch, 1, 77, 0);
  prove(a);
  expect(watch.isWatching).toBe(false);
  let at = 1_000_000;
  /** Trains until one is under watch, which then is lost. */
  const lose = (): void => {
    while (!watch.isWatching) {
      at += TRAIN;
      expect(a.train(at)).toBe(true);
    }
    a.segment(at);
  };
  lose();
  lose();
  at += TRAIN;
  expect(a.train(at)).toBe(true);
  expect(watch.isWatching).toBe(true);
  a.segment(at);
  expect(a.train(at + TRAIN)).toBe(false);
});

test('trains are tried again after a while, later and later', () => {
  const watch = new TrainWatch();
  const a = flowTo(watch, 1, 77, 0);
  const refused = (): number => {
    let n = 0;
    while (!a.train(0)) n++;
    return n;
  };
  a.train(0);
  a.segment(0);
  expect(refused()).toBe(BLOCKED_FRAMES);
  a.segment(0);
  expect(refused()).toBe(2 * BLOCKED_FRAMES);
});

test('a train whose flow ends is forgotten, and another one is watched', () => {
  const watch = new TrainWatch();
  flowTo(watch, 1, 77, 0).train(0);
  const b = flowTo(watch, 1, 78, 0);
  for (let at = 0; at < 70 * TRAIN; at += TRAIN) expect(b.train(at)).toBe(true);
  flowTo(watch, 1, 77, 0).segment(0);
  expect(b.train(70 * TRAIN)).toBe(true);
  for (let n = 0; n < 70; n++) b.segment(n * TRAIN);
  expect(b.train(71 * TRAIN)).toBe(false);
});
