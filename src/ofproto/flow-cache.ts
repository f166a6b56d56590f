/**
 * The main thread's side of the megaflow cache: every installed megaflow as a ukey, by slot and by match.
 * It is the only one that calls putFlow and removeFlow, so that both sides always hold the same set.
 */
import { type Datapath, FLOW_SLOTS, type FlowStats } from '../datapath/datapath.ts';
import { sameWords } from '../datapath/program.ts';
import { type Match, matches, sameMask, sameMatch } from '../flowtable/match.ts';
import type { RecircTable } from './recirc-table.ts';
import { emptyStats, hashKey, hashMatch, sparseKey, Ufid, type Ukey } from './ukey.ts';
import { slowProgram } from './xlate/slow-path.ts';
import type { Translation } from './xlate/translate.ts';

export class FlowCache {
  private readonly datapath: Datapath;
  private readonly random32: () => number;
  private readonly recirc: RecircTable;
  private readonly ukeys = new Set<Ukey>();
  private readonly byMatch = new Map<number, Ukey[]>();
  /** Slots given back, last in first out; below `nextId` all others are in use. */
  private readonly freeIds: number[] = [];
  private nextId = 0;
  private readonly scratch: FlowStats = emptyStats();
  /** Megaflows in slots used before, whose counters may still be those of the earlier one. */
  private unsettled: Ukey[] = [];
  private isSettling = false;

  constructor(datapath: Datapath, random32: () => number, recirc: RecircTable) {
    this.datapath = datapath;
    this.recirc = recirc;
    this.random32 = random32;
  }

  get size(): number {
    return this.ukeys.size;
  }

  find(match: Match): Ukey | null {
    return this.byMatch.get(hashMatch(match))?.find((u) => sameMatch(u.match, match)) ?? null;
  }

  /** The megaflow with the mask of `like` that covers a key. */
  findCovering(like: Match, key: Uint32Array): Ukey | null {
    const list = this.byMatch.get(hashKey(like, key));
    if (list === undefined) return null;
    return list.find((u) => sameMask(u.match, like) && matches(u.match, key)) ?? null;
  }

  /** Installs a megaflow that is not there yet; null when the datapath has no slot left. */
  install(
    match: Match,
    translation: Translation,
    key: Uint32Array,
    nowMs: number,
    generation: number,
    ufid: string | null = null,
  ): Ukey | null {
    const reused = this.freeIds.pop();
    const id = reused ?? (this.nextId < FLOW_SLOTS ? this.nextId++ : -1);
    if (id < 0) return null;
    const sparse = sparseKey(key);
    const { effects, recircIds } = translation;
    const program = installedProgram(translation);
    const ukey: Ukey = {
      id,
      match,
      ufid: new Ufid(this.random32, ufid),
      program,
      effects,
      recircIds,
      keyWords: sparse.words,
      keyValues: sparse.values,
      createdMs: nowMs,
      generation,
      packets: 0,
      bytes: 0,
      usedMs: 0,
      tcpFlags: 0,
      installed: true,
      settled: reused === undefined,
    };
    this.ukeys.add(ukey);
    this.recirc.hold(recircIds);
    const hash = hashMatch(match);
    const list = this.byMatch.get(hash);
    if (list) list.push(ukey);
    else this.byMatch.set(hash, [ukey]);
    this.datapath.putFlow(id, match, program);
    if (!ukey.settled) {
      this.unsettled.push(ukey);
      if (!this.isSettling) void this.settle();
    }
    return ukey;
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
    const { effects, recircIds } = translation;
    const program = installedProgram(translation);
    ukey.effects = effects;
    ukey.generation = generation;
    if (sameWords(ukey.program, program)) return;
    this.recirc.hold(recircIds);
    this.recirc.release(ukey.recircIds, nowMs);
    ukey.recircIds = recircIds;
    ukey.program = program;
    this.datapath.putFlow(ukey.id, ukey.match, program);
  }

  remove(ukey: Ukey, nowMs: number): void {
    if (!ukey.installed) return;
    ukey.installed = false;
    this.recirc.release(ukey.recircIds, nowMs);
    this.ukeys.delete(ukey);
    const hash = hashMatch(ukey.match);
    const list = this.byMatch.get(hash);
    if (list) {
      list.splice(list.indexOf(ukey), 1);
      if (list.length === 0) this.byMatch.delete(hash);
    }
    this.datapath.removeFlow(ukey.id);
    this.freeIds.push(ukey.id);
  }

  /** Statistics as the datapath has them now. Valid until the next call. */
  stats(ukey: Ukey): FlowStats {
    return this.datapath.flowStats(ukey.id, this.scratch);
  }

  /** All, in the order of installation. Safe against removal of the one at hand. */
  all(): IterableIterator<Ukey> {
    return this.ukeys.values();
  }
}

const installedProgram = ({ program, slow, slowMeter }: Translation): Int32Array =>
  slow === 0 ? program : slowProgram(slow, slowMeter);
