/** The chart of comparisons: bars in proportion, nothing of what was not measured, text that is safe in XML. */
import { expect, test } from 'vitest';
import { chart, type Panel, shortNumber } from '../../bench/chart.ts';

const panel = (title: string, values: readonly number[]): Panel => ({
  title,
  unit: 'k/s',
  moreIsBetter: true,
  bars: values.map((value, i) => ({ label: `switch ${i}`, value })),
});

const bars = (svg: string) =>
  [
    ...svg.matchAll(/<rect x="\d+" y="[\d.]+" width="([\d.]+)" height="13" rx="2" fill="(#\w+)"/g),
  ].map(([, width, colour]) => ({ width: Number(width), colour }));

test('bars are as long as their values, each panel by a scale of its own', () => {
  const drawn = bars(chart('t', 's', [panel('a', [100, 50]), panel('b', [1, 4])]));
  expect(drawn).toHaveLength(4);
  const [full, half, quarter, most] = drawn.map(({ width }) => width);
  expect(half).toBeCloseTo(full / 2, 1);
  expect(quarter).toBeCloseTo(full / 4, 1);
  expect(most).toBe(full);
});

test('a contestant has one colour in all panels, also where another one is missing', () => {
  const drawn = bars(chart('t', 's', [panel('a', [3, 2, 1]), panel('b', [3, Number.NaN, 1])]));
  expect(drawn.map(({ colour }) => colour)).toEqual([0, 1, 2, 0, 2].map((i) => drawn[i].colour));
  expect(new Set(drawn.map(({ colour }) => colour)).size).toBe(3);
});

test('a panel that nobody was measured for is left out', () => {
  const svg = chart('t', 's', [panel('seen', [1]), panel('unseen', [Number.NaN])]);
  expect(svg).toContain('>seen<');
  expect(svg).not.toContain('unseen');
});

test('markup in titles stays text', () => {
  expect(chart('a < b & "c"', 's', [])).toContain('a &lt; b &amp; &quot;c&quot;');
});

test('numbers have three digits, or all in front of the point', () => {
  expect([0.123, 12.34, 123.4, 98765].map(shortNumber)).toEqual(['0.12', '12.3', '123', '98765']);
});
