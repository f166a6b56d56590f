import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Bench } from './peer.ts';
import { badMessages, exchange, streamed } from './raw-exchange.ts';

let bench: Bench;
beforeEach(async () => {
  bench = new Bench();
  for (const number of [1, 2, 3]) await bench.lab.port(bench.bridge, `p${number}`, number);
});
afterEach(() => bench.close());

describe('what is wrong gets the error of Open vSwitch, or of the specification', () => {
  test.each([1, 4, 5, 6])('in version %i', async (version) => {
    const messages = badMessages(version);
    const path = `${bench.runDir}/br0.mgmt`;
    const answers = await exchange(
      path,
      version,
      messages.map(({ bytes }) => bytes),
    );
    const got = messages.map(({ what }, i) => `${what}: ${answers[i]}`);
    expect(got).toEqual(messages.map(({ what, ours }) => `${what}: ${ours}`));
  });

  test.each(badMessages(0))('in a stream: $what', async ({ bytes, ours }) => {
    expect(await streamed(`${bench.runDir}/br0.mgmt`, bytes)).toBe(ours);
  });
});
