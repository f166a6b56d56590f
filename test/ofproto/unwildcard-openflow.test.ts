/** The property that the megaflow cache rests on, for tables with all kinds of actions: see unwildcard.test.ts. */
import { describe, expect, test } from 'vitest';
import { sameWords } from '../../src/datapath/program.ts';
import { formatProgram } from '../../src/datapath/program-text.ts';
import { type Match, matchOf } from '../../src/flowtable/match.ts';
import { ofPort } from '../../src/flowtable/of-port.ts';
import { concerns } from '../../src/ofproto/rule-changes.ts';
import { DEFAULT_SWITCH } from '../../src/ofproto/switch.ts';
import { applyFlowMod } from '../../src/ofproto/tables/flow-mods.ts';
import { formatTrace } from '../../src/ofproto/text/trace-text.ts';
import { XlateScratch } from '../../src/ofproto/xlate/context.ts';
import { applyEffects, type Effect } from '../../src/ofproto/xlate/effect.ts';
import { fieldWrite } from '../../src/ofproto/xlate/subfields.ts';
import { Trace } from '../../src/ofproto/xlate/trace.ts';
import { translate } from '../../src/ofproto/xlate/translate.ts';
import { type Field, fieldByName } from '../../src/packet/fields.ts';
import * as K from '../../src/packet/key.ts';
import { Lab } from './lab.ts';
import { chanceOf } from './random/chance.ts';
import { type RandomFlow, randomFlow } from './random/flow.ts';
import { randomMatch } from './random/matches.ts';
import { fill, mod } from './random/tables.ts';

/** More, and other ones, for a long run: `UNWILDCARD_MINUTES=60 UNWILDCARD_SEED=7 npm run soak:unwildcard`. */
const PAIRS = Number(process.env.UNWILDCARD_PAIRS ?? 100_000);
const MINUTES = Number(process.env.UNWILDCARD_MINUTES ?? 0);
const SEED = Number(process.env.UNWILDCARD_SEED ?? 0x0f13);
const FLOWS_PER_TABLE = 400;
/** Longer than a number of a frozen state is kept without anybody who holds it. */
const FORGET_MS = 20_000;

const chance = chanceOf(SEED);
const { words, next, pick } = chance;

/** Bits of a word that another frame of the same kind can have: only IP and ARP have a protocol. */
const possible = (flow: Uint32Array, word: number): number => {
  const [type, protocol] = [flow[K.ETH_TYPE_PROTO] >>> 16, (flow[K.ETH_TYPE_PROTO] >>> 8) & 0xff];
  // Type and code have eight bits each.
  const isIcmp = (type === 0x0800 && protocol === 1) || (type === 0x86dd && protocol === 58);
  if (word === K.TP && isIcmp) return 0x00ff00ff;
  if (word !== K.ETH_TYPE_PROTO) return 0xffffffff;
  const hasProtocol = [0x0800, 0x86dd, 0x0806, 0x8035].includes(type);
  return hasProtocol ? 0xffffff00 : 0xffff0000;
};

describe('translation through tables', () => {
  test('a tunnel option without a place leaves nothing behind for the next field that is written', () => {
    fieldWrite(fieldByName('tun_metadata0') as Field, 0n, 0x1_0000_0000_0000n);
    for (let bits = 900; bits < 992; bits++) {
      fieldWrite(fieldByName('tun_metadata0') as Field, 0n, (1n << BigInt(bits)) - 1n);
    }
    const write = fieldWrite(fieldByName('udp_src') as Field, 0n, 7n);
    expect(write).toEqual({ words: [K.TP], values: [0], masks: [0x70000] });
  });

  test('a label that becomes all zeros is not taken for none, whatever is below', async () => {
    const lab = new Lab();
    const bridge = lab.bridge('br0');
    for (let p = 1; p <= 2; p++) await lab.port(bridge, `p${p}`, p);
    bridge.flushFlows();
    const clear = [
      { kind: 'setMplsLabel', label: 0 },
      { kind: 'setMplsTtl', ttl: 0 },
      { kind: 'output', port: ofPort(2), maxBytes: 0 },
    ] as const;
    applyFlowMod(bridge, mod(0, 1, matchOf(new Uint32Array(1), new Uint32Array(1), 0), clear));
    const flow = new Uint32Array(K.FLOW_WORDS);
    flow[K.IN_PORT] = 1;
    flow[K.ETH_TYPE_PROTO] = 0x88470000;
    flow.set([0x10001, 0x11040, 0x10140], K.MPLS_LSE);
    const { program, mask } = translate(lab.switch, flow);
    const deeper = flow.slice();
    deeper[K.MPLS_LSE + 2] &= ~(0x100 & ~mask[K.MPLS_LSE + 2]);
    expect(translate(lab.switch, deeper).program).toEqual(program);
    lab.switch.close();
  });

  const amount = MINUTES > 0 ? `${MINUTES} minutes of` : String(PAIRS);
  test(`bits outside the mask do not change the program, in ${amount} pairs of tables and packets`, async () => {
    const lab = new Lab();
    const bridge = lab.bridge('br0');
    const other = lab.bridge('br1');
    for (let p = 1; p <= 4; p++) await lab.port(bridge, `p${p}`, p);
    await lab.port(other, 'p11', 11);
    // Queues that mark what leaves by them, the default one too.
    bridge.setQueueDscp(ofPort(2), new Map([[1, 10]]));
    bridge.setQueueDscp(
      ofPort(3),
      new Map([
        [0, 4],
        [3, 46],
      ]),
    );
    lab.patch(bridge, 'to1', 'to0');
    lab.patch(other, 'to0', 'to1');
    const scratch = new XlateScratch();
    const again = new XlateScratch();
    const programs = new Set<string>();
    let recirculated = 0;
    let pair = 0;

    let unconcerned = 0;
    /** A change of a rule that is said not to concern a megaflow does not change its program: coming, and going again. */
    const checkChange = (
      flow: Uint32Array,
      program: Int32Array,
      effects: readonly Effect[],
      match: Match,
    ): void => {
      const of = pick([bridge, bridge, other]);
      const table = next(4);
      const rule = randomMatch(chance, table === 0);
      const add = mod(table, 1 + next(60), rule, [
        { kind: 'output', port: ofPort(4), maxBytes: 0 },
      ]);
      const isConcerned = concerns({ table: of.tables[table], match: rule }, effects, match);
      for (const flowMod of [add, { ...add, command: 'deleteStrict' as const }]) {
        applyFlowMod(of, flowMod);
        if (isConcerned) continue;
        unconcerned++;
        if (sameWords(program, translate(lab.switch, flow, null, again).program)) continue;
        expect.fail(`seed ${SEED}, pair ${pair}: ${formatProgram(program, flow)} was concerned`);
      }
    };

    /** The property for one frame; numbers of what its program froze. */
    const check = ({ flow, own }: RandomFlow): readonly number[] => {
      const translation = translate(lab.switch, flow, null, scratch);
      const { program, mask, effects, recircIds } = translation;
      if (pair % 50 === 0) programs.add(program.join());
      for (let round = 0; round < 2; round++) {
        const changed = flow.slice();
        for (const w of own) {
          // All bits that do not count at once, or a few of them.
          const noise = (round === 0 ? words() : 1 << next(32)) & possible(flow, w);
          changed[w] = (flow[w] ^ (noise & ~mask[w])) >>> 0;
        }
        const { program: same } = translate(lab.switch, changed, null, again);
        if (sameWords(program, same)) continue;
        const way = (of: Uint32Array): string => {
          const trace = new Trace();
          translate(lab.switch, of, trace);
          return formatTrace(trace.roots);
        };
        const details = own
          .filter((w) => changed[w] !== flow[w])
          .map(
            (w) =>
              `${w}:${flow[w].toString(16)}>${changed[w].toString(16)}/${mask[w].toString(16)}`,
          );
        expect.fail(
          `seed ${SEED}, pair ${pair}, type ${flow[K.ETH_TYPE_PROTO].toString(16)}: ${formatProgram(program, flow)}\nbecame ${formatProgram(same, changed)}\n${details}\n${way(flow)}\nbecame\n${way(changed)}`,
        );
      }
      if (next(8) === 0) checkChange(flow, program, effects, matchOf(flow, mask, K.DP_WORDS));
      // What it taught counts for the pairs that follow.
      if (next(20) === 0) applyEffects(effects, 1, 100, lab.clock.now());
      return recircIds;
    };

    const until = performance.now() + MINUTES * 60_000;
    const isLeft = (): boolean =>
      MINUTES === 0 ? pair < PAIRS : pair % FLOWS_PER_TABLE !== 0 || performance.now() < until;
    for (; isLeft(); pair++) {
      if (pair % FLOWS_PER_TABLE === 0) {
        lab.clock.advance(FORGET_MS);
        await lab.switch.revalidateAll();
        lab.switch.configure({ ...DEFAULT_SWITCH, vlanLimit: 1 + next(2) });
        fill(bridge, chance);
        fill(other, chance);
      }
      const recircIds = check(randomFlow(chance));
      if (recircIds.length === 0) continue;
      recirculated++;
      // A frame comes back, changed by the program or not, and perhaps with a hash.
      const back = randomFlow(chance);
      back.flow[K.RECIRC_ID] = pick(recircIds);
      back.flow[K.DP_HASH] = words();
      check({ flow: back.flow, own: [...back.own, K.DP_HASH] });
    }
    console.log(
      `seed ${SEED}: ${pair} pairs, ${recirculated} recirculated, ${unconcerned} unconcerned by changes`,
    );
    // The pairs would prove little if most frames were dropped.
    expect(programs.size).toBeGreaterThan(300);
    expect(recirculated).toBeGreaterThan(1000);
    expect(unconcerned).toBeGreaterThan(1000);
    lab.switch.close();
  }, 7_200_000);
});
