/**
 * The main thread's side of the megaflow cache: every installed megaflow as a ukey, by slot and by match.
 * It is the only one that calls putFlow and removeFlow, so that both sides always hold the same set.
 */
import {
  type Datapath,
  FLOW_SLOTS,
  type FlowStats,
  newFlowStats,
  type PutFlow,
} from '../datapath/datapath.ts';
import { sameWords } from '../datapath/program.ts';
import { hashStep } from '../flowtable/match.ts';
import { DP_WORDS } from '../packet/key.ts';
import { KeyStore } from './key-store.ts';
import type { RecircTable } from './recirc-table.ts';
import { Ukey, type UkeyMask } from './ukey.ts';
import { UkeyIndex } from './ukey-index.ts';
import { SharedEffects } from './xlate/shared-effects.ts';
import { slowProgram } from './xlate/slow-path.ts';
import type { Translation } from './xlate/translate.ts';

/** Masks made between two looks for those that no megaflow has any more. */
const MASKS_PER_SWEEP = 4096;

export class FlowCache {
  private readonly datapath: Datapath;
  private readonly random32: () => number;
  private readonly putFlow: PutFlow;
  private readonly recirc: RecircTable;
  private readonly keys = new KeyStore();
  private readonly index = new UkeyIndex();
  /** By their hash. */
  private readonly masks = new Map<number, UkeyMask[]>();
  private masksMade = 0;
  private lastMask: UkeyMask | null = null;
  private readonly effects = new SharedEffects();
  /** Of the match that is being put. */
  private readonly values = new Uint32Array(DP_WORDS);
  /** Slots given back, last in first out; below `nextId` all others are in use. */
  private readonly freeIds: number[] = [];
  private nextId = 0;
  private readonly scratch: FlowStats = newFlowStats();
  /** Megaflows in slots used before, whose counters may still be those of the earlier one. */
  private unsettled: Ukey[] = [];
  private isSettling = false;

  constructor(datapath: Datapath, random32: () => number, recirc: RecircTable) {
    this.datapath = datapath;
    this.recirc = recirc;
    this.random32 = random32;
    this.putFlow = (id, match, program) => datapath.putFlow(id, match, program);
    datapath.flowsFrom((put) => {
      for (const ukey of this.all()) this.put(ukey, put);
    });
  }

  get size(): number {
    return this.index.size;
  }

  /** The one object for a dense mask of DP_WORDS words or more. */
  maskOf(mask: Uint32Array): UkeyMask {
    if (this.lastMask !== null && isMask(this.lastMask, mask)) return this.lastMask;
    let seed = 0;
    let n = 0;
    for (let w = 0; w < DP_WORDS; w++) {
      if (mask[w] === 0) continue;
      seed = hashStep(hashStep(seed, w), mask[w]);
      n++;
    }
    const same = this.masks.get(seed);
    let found = same?.find((one) => isMask(one, mask));
    if (found === undefined) {
      if (++this.masksMade > MASKS_PER_SWEEP) this.sweepMasks();
      found = { words: new Uint8Array(n), masks: new Uint32Array(n), seed, users: 0 };
      for (let w = 0, i = 0; w < DP_WORDS; w++) {
        if (mask[w] === 0) continue;
        found.words[i] = w;
        found.masks[i++] = mask[w];
      }
      const list = this.masks.get(seed);
      if (list === undefined) this.masks.set(seed, [found]);
      else list.push(found);
    }
    this.lastMask = found;
    return found;
  }

  /** Forgets masks that no megaflow has: strangers can make the tables ask for very many. */
  private sweepMasks(): void {
    this.masksMade = 0;
    for (const [seed, list] of this.masks) {
      const used = list.filter(({ users }) => users > 0);
      if (used.length > 0) this.masks.set(seed, used);
      else this.masks.delete(seed);
    }
  }

  /** The megaflow with this mask that covers a dense key. */
  find(mask: UkeyMask, key: Uint32Array): Ukey | null {
    return this.index.find(mask, key);
  }

  /** Installs a megaflow that is not there yet; null when the datapath has no slot left. */
  install(
    mask: UkeyMask,
    translation: Translation,
    key: Uint32Array,
    nowMs: number,
    generation: number,
    ufid: string | null = null,
  ): Ukey | null {
    const reused = this.freeIds.pop();
    const id = reused ?? (this.nextId < FLOW_SLOTS ? this.nextId++ : -1);
    if (id < 0) return null;
    const { recircIds } = translation;
    const ukey = new Ukey(
      id,
      mask,
      this.keys,
      this.keys.put(key),
      installedProgram(translation),
      this.effects.share(translation.effects),
      recircIds,
      nowMs,
      generation,
      reused === undefined || this.datapath.isImmediate,
      this.random32,
      ufid,
    );
    mask.users++;
    this.recirc.hold(recircIds);
    this.index.add(ukey, key);
    this.put(ukey);
    if (!ukey.settled) {
      this.unsettled.push(ukey);
      if (!this.isSettling) void this.settle();
    }
    return ukey;
  }

  private put(ukey: Ukey, put: PutFlow = this.putFlow): void {
    const { words, masks } = ukey.mask;
    const { values } = this;
    this.keys.pick(ukey.key, words, values);
    for (let i = 0; i < words.length; i++) values[i] &= masks[i];
    put(ukey.id, { words, values, masks }, ukey.program);
  }

  /** Counters of a slot start at zero when the datapath has carried putFlow out, not when it was given. */
  private async settle(): Promise<void> {
    this.isSettling = true;
    try {
      while (this.unsettled.length > 0) {
        const now = this.unsettled;
        this.unsettled = [];
        await this.datapath.barrier();
        for (const ukey of now) ukey.settled = true;
      }
    } catch {
      // The datapath is closed or broken, which its owner learns by itself; nothing is counted any more.
    } finally {
      this.isSettling = false;
    }
  }

  /** Brings a megaflow up to date with a new translation under the same match; its statistics go on. */
  update(ukey: Ukey, translation: Translation, generation: number, nowMs: number): void {
    const { recircIds } = translation;
    const program = installedProgram(translation);
    ukey.effects = this.effects.share(translation.effects);
    ukey.generation = generation;
    if (sameWords(ukey.program, program)) return;
    this.recirc.hold(recircIds);
    this.recirc.release(ukey.recircIds, nowMs);
    ukey.recircIds = recircIds;
    ukey.program = program;
    this.put(ukey);
  }

  remove(ukey: Ukey, nowMs: number): void {
    if (!ukey.installed) return;
    ukey.installed = false;
    this.recirc.release(ukey.recircIds, nowMs);
    this.index.delete(ukey);
    this.keys.drop(ukey.key);
    // One that nobody has left is found again or swept.
    ukey.mask.users--;
    this.datapath.removeFlow(ukey.id);
    this.freeIds.push(ukey.id);
  }

  /** Statistics as the datapath has them now. Valid until the next call. */
  stats(ukey: Ukey): FlowStats {
    return this.datapath.flowStats(ukey.id, this.scratch);
  }

  /** All, in the order of installation, as they are now. */
  all(): Ukey[] {
    return this.index.list();
  }
}

const isMask = ({ words, masks }: UkeyMask, mask: Uint32Array): boolean => {
  let i = 0;
  for (let w = 0; w < DP_WORDS; w++) {
    if (mask[w] === 0) continue;
    if (i === words.length || words[i] !== w || masks[i] !== mask[w]) return false;
    i++;
  }
  return i === words.length;
};

const installedProgram = ({ program, slow, slowMeter }: Translation): Int32Array =>
  slow === 0 ? program : slowProgram(slow, slowMeter);
