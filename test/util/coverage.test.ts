import { expect, it } from 'vitest';
import { Coverage } from '../../src/util/coverage.ts';
import { VirtualClock } from '../../src/util/virtual-clock.ts';

it('prints hit counters with rates in columns and counts the others', () => {
  const clock = new VirtualClock();
  const coverage = new Coverage(clock);
  coverage.counter('netdev_received').add(10);
  let shared = 0;
  coverage.counterFrom('drop_action_congestion', () => shared);
  coverage.counter('never');
  shared = 2;
  clock.advance(5000);
  coverage.counter('netdev_received').add(2);
  const lines = coverage.show().split('\n');
  expect(lines[0]).toMatch(
    /^Event coverage, avg rate over last: 5 seconds, last minute, last hour, {2}hash=[0-9a-f]{8}:$/,
  );
  expect(lines.slice(1)).toEqual([
    'netdev_received            2.0/sec     0.167/sec        0.0028/sec   total: 12',
    'drop_action_congestion     0.4/sec     0.033/sec        0.0006/sec   total: 2',
    '1 events never hit',
    '',
  ]);
});

it('forgets bursts older than each window', () => {
  const clock = new VirtualClock();
  const coverage = new Coverage(clock);
  coverage.counter('x').add(3600);
  clock.advance(5000);
  expect(coverage.show()).toContain(
    'x                        720.0/sec    60.000/sec        1.0000/sec',
  );
  clock.advance(60_000);
  expect(coverage.show()).toContain('0.0/sec     0.000/sec        1.0000/sec   total: 3600');
  clock.advance(3_600_000);
  expect(coverage.show()).toContain('0.0/sec     0.000/sec        0.0000/sec   total: 3600');
  expect(coverage.total('x')).toBe(3600);
  expect(coverage.total('y')).toBeUndefined();
});
