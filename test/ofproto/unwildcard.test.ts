/** The property that the megaflow cache rests on: bits outside the mask do not change the program. */
import { describe, expect, test } from 'vitest';
import { sameWords } from '../../src/datapath/program.ts';
import type { BundlePorts } from '../../src/ofproto/bridge.ts';
import type { MirrorSettings } from '../../src/ofproto/mirrors.ts';
import { DEFAULT_SWITCH } from '../../src/ofproto/switch.ts';
import { VLAN_MODES } from '../../src/ofproto/vlan.ts';
import { translate } from '../../src/ofproto/xlate/translate.ts';
import { HOT_WORDS, VLAN0, VLAN1 } from '../../src/packet/key.ts';
import { BROADCAST, flowOf, frame, Lab, programText, random32 } from './lab.ts';

const VIDS = [0, 10, 20, 100];
const MACS = [
  '02:00:00:00:00:01',
  '02:00:00:00:00:02',
  '02:00:00:00:00:03',
  BROADCAST,
  '01:80:c2:00:00:0e',
];
const ARP = [0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1];

type Next = (below: number) => number;

function randomBundle(next: Next): Omit<BundlePorts, 'ports'> {
  return {
    vlanMode: VLAN_MODES[next(VLAN_MODES.length)],
    tag: VIDS[1 + next(3)],
    trunks: next(2) ? null : [VIDS[next(4)], VIDS[next(4)]],
    cvlans: next(2) ? null : [VIDS[next(4)], VIDS[next(4)]],
    priorityTags: (['no', 'if-nonzero', 'always'] as const)[next(3)],
    qinqEthtype: next(2) ? 0x88a8 : 0x8100,
    protected: next(4) === 0,
  };
}

function randomFrame(next: Next): Uint8Array {
  const tags: string[] = [];
  for (let i = next(3); i > 0; i--) tags.push(`${VIDS[next(4)]}/${next(3) ? 0 : 5}`);
  const source = MACS[next(3)];
  const destination = MACS[next(MACS.length)];
  const text = tags.join(' ') || '-';
  return next(4) === 0
    ? frame(source, destination, text, 0x0806, ARP)
    : frame(source, destination, text);
}

async function randomLab(next: Next): Promise<Lab> {
  const lab = new Lab();
  const mirrors: MirrorSettings[] = [];
  lab.switch.configure({ ...DEFAULT_SWITCH, vlanLimit: 1 + next(2) });
  const one = lab.bridge('br1');
  const two = lab.bridge('br2');
  for (let p = 1; p <= 4; p++) await lab.port(one, `p${p}`, p, randomBundle(next));
  for (let p = 5; p <= 7; p++) await lab.port(two, `p${p}`, p, randomBundle(next));
  lab.patch(one, 'to2', 'to1');
  lab.patch(two, 'to1', 'to2');
  if (next(2))
    one.setBundle('to2', { ports: [one.portNamed('to2')!.ofPort], ...randomBundle(next) });
  const port = () => `p${1 + next(4)}`;
  for (let i = next(3); i > 0; i--) {
    mirrors.push({
      id: `m${i}`,
      name: `m${i}`,
      selectAll: next(2) === 0,
      sources: [port(), 'to2'],
      destinations: [port()],
      vlans: next(2) ? [] : [VIDS[next(4)], VIDS[next(4)]],
      output: next(2) ? { port: port() } : { vlan: VIDS[1 + next(3)] },
      snaplen: next(2) ? null : 64,
    });
  }
  one.setMirrors(mirrors);
  return lab;
}

describe('translation', () => {
  test('flipping any bit outside the mask gives the same program', async () => {
    const words = random32(4711);
    const next: Next = (below) => words() % below;
    const programs = new Set<string>();
    for (let round = 0; round < 40; round++) {
      const lab = await randomLab(next);
      for (let i = 0; i < 10; i++) lab.inject(1 + next(7), randomFrame(next));
      for (let i = 0; i < 12; i++) {
        const flow = flowOf(1 + next(7), randomFrame(next));
        const { program, mask } = translate(lab.switch, flow);
        programs.add(programText(program));
        for (let w = 0; w < HOT_WORDS; w++) {
          for (let bit = 0; bit < 32; bit++) {
            if ((mask[w] >>> bit) & 1) continue;
            const flipped = flow.slice();
            flipped[w] ^= 1 << bit;
            // Without a tag its bits do not exist; whether there is one is always in the mask.
            if ((w === VLAN0 || w === VLAN1) && flow[VLAN0] === 0) continue;
            // A tag that is not there comes as a whole.
            if (w === VLAN1 && flow[VLAN1] === 0) flipped[w] |= 0x81001000;
            const again = translate(lab.switch, flipped).program;
            if (!sameWords(program, again)) {
              expect.fail(
                `round ${round}: word ${w} bit ${bit}: ${programText(program)} became ${programText(again)}`,
              );
            }
          }
        }
      }
      lab.switch.close();
    }
    // The rounds would prove little if most frames were dropped.
    expect(programs.size).toBeGreaterThan(100);
  });

  test('words of the pipeline and unused words of the datapath stay wildcarded', async () => {
    const lab = new Lab();
    const bridge = lab.bridge('br0');
    await lab.port(bridge, 'p1', 1);
    await lab.port(bridge, 'p2', 2);
    const { mask } = lab.translate(1, frame(MACS[0], MACS[1], '10/3', 0x0800));
    const consulted = [...mask.entries()]
      .filter(([, m]) => m !== 0)
      .map(([w, m]) => `${w}:${m.toString(16)}`);
    expect(consulted).toEqual([
      '0:ffffffff', // in_port
      '1:ffffffff', // recirc_id
      '4:ffffffff', // packet_type
      '5:ffffffff', // eth_dst, eth_src
      '6:ffffffff',
      '7:ffffffff',
      '8:ffff1fff', // TPID and VID, not the priority
      '10:ffff0003', // eth_type, nw_frag
    ]);
  });
});
