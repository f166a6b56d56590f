/** VLAN modes against what the original was seen to do. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { BundlePorts } from '../../src/ofproto/bridge.ts';
import { DEFAULT_SWITCH } from '../../src/ofproto/switch.ts';
import { BROADCAST, frame, Lab, programText } from './lab.ts';
import { ONE_TAG, TWO_TAGS } from './vlan-expectations.ts';

const PORTS: Omit<BundlePorts, 'ports'>[] = [
  {},
  { vlanMode: 'access', tag: 10 },
  { trunks: [10, 20] },
  { vlanMode: 'native-tagged', tag: 10 },
  { vlanMode: 'native-untagged', tag: 10 },
  { vlanMode: 'dot1q-tunnel', tag: 10 },
  { vlanMode: 'dot1q-tunnel', tag: 10, cvlans: [100, 200], qinqEthtype: 0x8100 },
  { vlanMode: 'access', tag: 10, priorityTags: 'always' },
  { priorityTags: 'if-nonzero' },
  { priorityTags: 'always' },
  { vlanMode: 'access', tag: 20 },
  { vlanMode: 'native-untagged', tag: 10, trunks: [20], priorityTags: 'if-nonzero' },
  { vlanMode: 'dot1q-tunnel', tag: 10, priorityTags: 'always' },
];

let lab: Lab;
beforeEach(async () => {
  lab = new Lab();
  const bridge = lab.bridge('br0');
  await lab.port(bridge, 'br0', 100);
  for (let i = 0; i < PORTS.length; i++) await lab.port(bridge, `p${i + 1}`, i + 1, PORTS[i]);
});

const rows = (table: string): [string, string, string][] =>
  table
    .trim()
    .split('\n')
    .map((line) => line.split('|') as [string, string, string]);

const actions = (port: string, tags: string): string =>
  programText(lab.translate(Number(port), frame('50:54:00:00:00:01', BROADCAST, tags)).program);

describe('VLAN modes', () => {
  test('one tag told apart: as the original floods', () => {
    const differing = rows(ONE_TAG).filter(
      ([port, tags, wanted]) => actions(port, tags) !== wanted,
    );
    expect(differing.map(([port, tags]) => [port, tags, actions(port, tags)])).toEqual([]);
  });

  test('two tags told apart: as the original floods, but without losing the innermost tag', () => {
    lab.switch.configure({ ...DEFAULT_SWITCH, vlanLimit: 2 });
    const mode = (port: string) => PORTS[Number(port) - 1].vlanMode ?? 'trunk';
    const checked = rows(TWO_TAGS).filter(
      // The original overwrites the inner tag where a port adds one; here it stays in the frame.
      ([port, tags]) =>
        mode(port) !== 'dot1q-tunnel' && !(mode(port) === 'access' && tags.startsWith('0/')),
    );
    expect(checked.length).toBeGreaterThan(30);
    const differing = checked.filter(([port, tags, wanted]) => actions(port, tags) !== wanted);
    expect(
      differing.map(([port, tags, wanted]) => [port, tags, actions(port, tags), wanted]),
    ).toEqual([]);
  });

  test('a tunnel port keeps both customer tags under the service tag', () => {
    lab.switch.configure({ ...DEFAULT_SWITCH, vlanLimit: 2 });
    expect(actions('6', '10/3 100/1')).toMatch(/^push_vlan\(tpid=0x88a8,vid=10,pcp=0\),100,1,/);
  });
});
