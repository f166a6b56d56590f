/**
 * Execution: an action program (program.ts) runs on frame p of a batch.
 *
 * A frame is rewritten in place unless someone else still refers to its bytes (Egress.own). CLONE and RECIRC
 * copy columns, not bytes: both sides then see the bytes as aliases and copy before they write.
 */
import { extract } from '../packet/extract.ts';
import { flowHash } from '../packet/flow-hash.ts';
import { DIRTY_COLD, GSO_NONE } from '../packet/frames.ts';
import {
  CT_STATE,
  DP_HASH,
  DP_WORDS,
  HOT_WORDS,
  PACKET_TYPE,
  SKB_PRIORITY,
} from '../packet/key.ts';
import { MPLS_ENTRY_BYTES, PBB_HEADER_BYTES, VLAN_TAG_BYTES } from '../packet/protocol.ts';
import {
  copyTtlIn,
  copyTtlOut,
  popMpls,
  popPbb,
  popVlan,
  pushMpls,
  pushPbb,
  pushVlan,
} from '../packet/push-pop.ts';
import { remarkDscp, rewritesBytes, setWord } from '../packet/rewrite.ts';
import { completeChecksum } from '../packet/segment.ts';
import type { Region } from '../sys/region.ts';
import { clearTunnel } from '../tunnels/tunnel-words.ts';
import type { Batch } from './batch.ts';
import { SHARED_ALIAS, SHARED_QUEUED } from './batch.ts';
import { UpcallReason } from './datapath.ts';
import { DROP_REASONS } from './drop-reason.ts';
import type { Egress } from './egress.ts';
import type { Meters } from './meter.ts';
import { METER_DROP, METER_PASS, METER_REMARK } from './meter.ts';
import { NativeTunnels } from './native-tunnels.ts';
import { wirePackets } from './policer.ts';
import { HashKind, Op } from './program.ts';
import type { Shared } from './shared.ts';
import { counterIndex, LOOKUP_LOST } from './shared.ts';

/**
 * Takes frame p for the main thread: bytes, key and arguments are read before it returns. False when it has no room;
 * the frame is then lost and counted. program[at .. at + words) is the argument of USERSPACE: cookie kind and words;
 * `words` is 0 for a miss.
 */
export type UpcallSink = (
  batch: Batch,
  p: number,
  reason: number,
  program: Int32Array,
  at: number,
  words: number,
) => boolean;

/** Queues frame p to be looked up again under the recirculation id. `aliased`: p itself goes on being used. */
export type Recirculate = (
  batch: Batch,
  p: number,
  recircId: number,
  depth: number,
  aliased: boolean,
) => void;

const PIPELINE_DROP = counterIndex('drop_action_of_pipeline');
const UPCALL_LOST = counterIndex('upcall_lost');
const NO_MEMORY = counterIndex('drop_tx_queue_full');
const METER_DROPPED = counterIndex('datapath_drop_meter');
const TOO_DEEP = counterIndex('drop_action_recursion_too_deep');

/** Of a program that is one OUTPUT. */
const OUTPUT_WORDS = 2;
const OUTPUT_HEAD = (OUTPUT_WORDS << 8) | Op.OUTPUT;
const NO_LIMIT = 0x7fffffff;
/** CLONE inside CLONE. */
const MAX_CLONE_DEPTH = 8;
const SAVED_COLUMNS = 13;

export class Executor {
  private readonly region: Region;
  private readonly shared: Shared;
  private readonly egress: Egress;
  private readonly sink: UpcallSink;
  private readonly recirculate: Recirculate;
  /** A frame's columns and key while a clone of it runs, by clone depth. */
  private readonly savedColumns = new Int32Array(MAX_CLONE_DEPTH * SAVED_COLUMNS);
  private readonly savedKeys = new Uint32Array(MAX_CLONE_DEPTH * DP_WORDS);
  private recirculated = 0;
  private readonly tunnels: NativeTunnels;
  /** The key of a packet while what is in it is taken out. */
  private readonly packetKey = new Uint32Array(DP_WORDS);
  private readonly meters: Meters;
  private readonly metadata = new Uint32Array(DP_WORDS);
  /** State of the generator behind SAMPLE (xorshift), never 0. */
  private random: number;
  /** Clock time of the frames at hand, which meters go by; whoever calls run() keeps it. */
  nowMs = 0;

  constructor(
    region: Region,
    shared: Shared,
    egress: Egress,
    sink: UpcallSink,
    recirculate: Recirculate,
    meters: Meters,
    seed: number,
  ) {
    this.region = region;
    this.shared = shared;
    this.egress = egress;
    this.sink = sink;
    this.recirculate = recirculate;
    this.meters = meters;
    this.tunnels = new NativeTunnels(region, shared.counters);
    this.random = seed | 0 || 0x2545f491;
  }

  /** Runs a whole program. `depth` counts recirculations so far. */
  run(batch: Batch, p: number, program: Int32Array, depth: number): void {
    if (program.length === OUTPUT_WORDS && program[0] === OUTPUT_HEAD) {
      // What most megaflows do, without the walk.
      this.egress.output(batch, p, program[1], NO_LIMIT);
    } else if (program.length === 0) this.shared.counters[PIPELINE_DROP]++;
    else this.steps(batch, p, program, 0, program.length, depth, 0, NO_LIMIT);
  }

  /** Hands frame p up; counts it when that fails. */
  upcall(
    batch: Batch,
    p: number,
    reason: number,
    program: Int32Array,
    at: number,
    words: number,
  ): void {
    if (!this.sink(batch, p, reason, program, at, words)) this.countLost();
  }

  countLost(): void {
    this.shared.counters[UPCALL_LOST]++;
    this.shared.lookups[LOOKUP_LOST]++;
  }

  private steps(
    batch: Batch,
    p: number,
    program: Int32Array,
    from: number,
    end: number,
    depth: number,
    clones: number,
    firstLimit: number,
  ): void {
    let limit = firstLimit;
    let at = from;
    while (at < end) {
      const head = program[at];
      const words = head >>> 8;
      // A program comes from our own main thread; a zero length would be a bug and must still not hang.
      if (words === 0) return;
      switch (head & 255) {
        case Op.OUTPUT:
          this.egress.output(batch, p, program[at + 1], limit);
          limit = NO_LIMIT;
          break;
        case Op.PUSH_VLAN:
          if (!this.egress.own(batch, p, VLAN_TAG_BYTES)) {
            this.shared.counters[NO_MEMORY]++;
            return;
          }
          pushVlan(this.region, batch, p, program[at + 1]);
          break;
        case Op.POP_VLAN:
          if (!this.egress.own(batch, p)) {
            this.shared.counters[NO_MEMORY]++;
            return;
          }
          popVlan(this.region, batch, p);
          break;
        case Op.SET:
          if (program[at + 1] === SKB_PRIORITY) {
            batch.priority[p] = program[at + 2];
            break;
          }
          if (rewritesBytes(program[at + 1]) && !this.egress.own(batch, p)) {
            this.shared.counters[NO_MEMORY]++;
            return;
          }
          setWord(this.region, batch, p, program[at + 1], program[at + 2], program[at + 3]);
          break;
        case Op.USERSPACE:
          this.userspace(batch, p, program, at + 1, words - 1, limit);
          limit = NO_LIMIT;
          break;
        case Op.TRUNC:
          limit = program[at + 1];
          break;
        case Op.RECIRC:
          this.recirculated++;
          this.recirculate(batch, p, program[at + 1], depth, clones > 0 || at + words < end);
          break;
        case Op.DROP:
          this.drop(program[at + 1]);
          break;
        case Op.CLONE:
          if (clones === MAX_CLONE_DEPTH) this.shared.counters[TOO_DEEP]++;
          else this.clone(batch, p, program, at + 1, at + words, depth, clones, limit);
          limit = NO_LIMIT;
          break;
        case Op.PUSH_MPLS:
        case Op.POP_MPLS:
        case Op.PUSH_PBB:
        case Op.POP_PBB:
        case Op.COPY_TTL_OUT:
        case Op.COPY_TTL_IN:
          if (!this.reshape(batch, p, program, at)) {
            this.shared.counters[NO_MEMORY]++;
            return;
          }
          break;
        case Op.SET_TUNNEL:
          setTunnel(batch, p, program, at + 1, at + words);
          break;
        case Op.TNL_PUSH:
          if (!this.pushTunnel(batch, p, program, at, limit)) return;
          limit = NO_LIMIT;
          break;
        case Op.TNL_POP:
          this.popTunnel(batch, p, program, at, depth, clones > 0 || at + words < end);
          break;
        case Op.METER:
          if (!this.meter(batch, p, program[at + 1])) return;
          break;
        case Op.HASH:
          batch.keys[p * DP_WORDS + DP_HASH] = flowHash(
            batch.keys,
            p * DP_WORDS,
            program[at + 2],
            program[at + 1] === HashKind.SYM_L4,
          );
          break;
        case Op.SAMPLE:
          if (clones === MAX_CLONE_DEPTH) this.shared.counters[TOO_DEEP]++;
          else if (this.draws(program[at + 1])) {
            this.clone(batch, p, program, at + 2, at + words, depth, clones, NO_LIMIT);
          }
          break;
        case Op.CHECK_PKT_LEN: {
          const middle = at + 3 + program[at + 2];
          if (clones === MAX_CLONE_DEPTH) this.shared.counters[TOO_DEEP]++;
          else if (this.longestPacket(batch, p) > program[at + 1]) {
            this.clone(batch, p, program, at + 3, middle, depth, clones, NO_LIMIT);
          } else this.clone(batch, p, program, middle, at + words, depth, clones, NO_LIMIT);
          break;
        }
      }
      at += words;
    }
  }

  /**
   * Reads the headers of frame p anew; metadata words of its key stay. False when the frame is too short by now to be one.
   */
  readAgain(batch: Batch, p: number): boolean {
    const keys = batch.keys;
    const base = p * DP_WORDS;
    const metadata = this.metadata;
    for (let i = 0; i < DP_WORDS; i++) metadata[i] = keys[base + i];
    if (!extract(this.region, batch, p)) return false;
    for (let i = 0; i <= PACKET_TYPE; i++) keys[base + i] = metadata[i];
    for (let i = HOT_WORDS; i < DP_WORDS; i++) {
      if (metadata[i] === 0 || !isMetadata(i)) continue;
      keys[base + i] = metadata[i];
      batch.keyDirty[p] |= DIRTY_COLD;
    }
    return true;
  }

  /** What changes the kind of frame, or bytes behind what the key knows. False when there is no memory for it. */
  private reshape(batch: Batch, p: number, program: Int32Array, at: number): boolean {
    const op = program[at] & 255;
    const room = op === Op.PUSH_MPLS ? MPLS_ENTRY_BYTES : op === Op.PUSH_PBB ? PBB_HEADER_BYTES : 0;
    if (!this.egress.own(batch, p, room)) return false;
    const region = this.region;
    switch (op) {
      case Op.PUSH_MPLS:
        pushMpls(region, batch, p, program[at + 1], program[at + 2]);
        break;
      case Op.POP_MPLS:
        popMpls(region, batch, p, program[at + 1]);
        break;
      case Op.PUSH_PBB:
        pushPbb(region, batch, p, program[at + 1]);
        break;
      case Op.POP_PBB:
        popPbb(batch, p);
        break;
      case Op.COPY_TTL_OUT:
        copyTtlOut(region, batch, p);
        break;
      default:
        copyTtlIn(region, batch, p);
    }
    this.readAgain(batch, p);
    return true;
  }

  /** False when frame p, at most `limit` bytes of it, cannot be sent as a packet of the tunnel. */
  private pushTunnel(
    batch: Batch,
    p: number,
    program: Int32Array,
    at: number,
    limit: number,
  ): boolean {
    if (!this.egress.own(batch, p, program[at + 5]) || !completeChecksum(this.region, batch, p)) {
      this.shared.counters[NO_MEMORY]++;
      return false;
    }
    if (limit < batch.length[p]) batch.length[p] = limit;
    if (!this.tunnels.push(batch, p, program, at)) return false;
    clearTunnel(batch.keys, p * DP_WORDS);
    this.readAgain(batch, p);
    return true;
  }

  /** What is in packet p goes through the cache as a frame of its own; p stays what it is if it is used `afterwards`. */
  private popTunnel(
    batch: Batch,
    p: number,
    program: Int32Array,
    at: number,
    depth: number,
    afterwards: boolean,
  ): void {
    const base = p * DP_WORDS;
    for (let i = 0; i < DP_WORDS; i++) this.packetKey[i] = batch.keys[base + i];
    const inner = this.tunnels.pop(batch, p, program, at);
    if (inner > 0) {
      const length = batch.length[p];
      const inPort = batch.inPort[p];
      batch.start[p] += inner;
      batch.room[p] += inner;
      batch.length[p] = this.tunnels.innerBytes;
      batch.inPort[p] = program[at + 1];
      this.recirculated++;
      this.recirculate(batch, p, 0, depth, afterwards);
      batch.start[p] -= inner;
      batch.room[p] -= inner;
      batch.length[p] = length;
      batch.inPort[p] = inPort;
    }
    for (let i = 0; i < DP_WORDS; i++) batch.keys[base + i] = this.packetKey[i];
  }

  /** False when the meter drops frame p. */
  private meter(batch: Batch, p: number, id: number): boolean {
    const verdict = this.meters.charge(id, batch.length[p], wirePackets(batch, p), this.nowMs);
    if (verdict === METER_PASS) return true;
    if (verdict === METER_DROP) {
      this.shared.counters[METER_DROPPED]++;
      return false;
    }
    if (this.egress.own(batch, p)) remarkDscp(this.region, batch, p, verdict - METER_REMARK);
    else this.shared.counters[NO_MEMORY]++;
    return true;
  }

  /** True for a part of the calls: `probability` of 2^32 - 1. */
  private draws(probability: number): boolean {
    let x = this.random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.random = x;
    return x >>> 0 <= probability >>> 0 && probability !== 0;
  }

  /** Bytes of frame p on a wire: for a super-frame, of its segments. */
  private longestPacket(batch: Batch, p: number): number {
    const whole = batch.length[p];
    if (batch.gsoType[p] === GSO_NONE) return whole;
    return Math.min(whole, batch.headerBytes[p] + batch.gsoSize[p]);
  }

  /** A cut frame goes up without offload metadata, which speaks of bytes that are gone. */
  private userspace(
    batch: Batch,
    p: number,
    program: Int32Array,
    at: number,
    words: number,
    limit: number,
  ): void {
    // A frame that was cut to less than an Ethernet header keeps the key that it had.
    this.readAgain(batch, p);
    const length = batch.length[p];
    if (limit >= length) {
      this.upcall(batch, p, UpcallReason.ACTION, program, at, words);
      return;
    }
    const flags = batch.offloadFlags[p];
    const gsoType = batch.gsoType[p];
    batch.length[p] = limit;
    batch.offloadFlags[p] = 0;
    batch.gsoType[p] = GSO_NONE;
    this.upcall(batch, p, UpcallReason.ACTION, program, at, words);
    batch.length[p] = length;
    batch.offloadFlags[p] = flags;
    batch.gsoType[p] = gsoType;
  }

  private drop(reason: number): void {
    if (reason >= 0 && reason < DROP_REASONS.length) this.shared.counters[reason]++;
    else this.shared.counters[PIPELINE_DROP]++;
  }

  private clone(
    batch: Batch,
    p: number,
    program: Int32Array,
    from: number,
    end: number,
    depth: number,
    clones: number,
    limit: number,
  ): void {
    const saved = this.savedColumns;
    const at = clones * SAVED_COLUMNS;
    saved[at] = batch.start[p];
    saved[at + 1] = batch.length[p];
    saved[at + 2] = batch.room[p];
    saved[at + 3] = batch.offloadFlags[p];
    saved[at + 4] = batch.gsoType[p];
    saved[at + 5] = batch.gsoSize[p];
    saved[at + 6] = batch.headerBytes[p];
    saved[at + 7] = batch.csumStart[p];
    saved[at + 8] = batch.csumOffset[p];
    saved[at + 9] = batch.l3[p];
    saved[at + 10] = batch.l4[p];
    saved[at + 11] = batch.shared[p];
    saved[at + 12] = batch.priority[p];
    const key = clones * DP_WORDS;
    const base = p * DP_WORDS;
    for (let i = 0; i < DP_WORDS; i++) this.savedKeys[key + i] = batch.keys[base + i];
    const recirculated = this.recirculated;
    batch.shared[p] |= SHARED_ALIAS;
    this.steps(batch, p, program, from, end, depth, clones + 1, limit);
    batch.start[p] = saved[at];
    batch.length[p] = saved[at + 1];
    batch.room[p] = saved[at + 2];
    batch.offloadFlags[p] = saved[at + 3];
    batch.gsoType[p] = saved[at + 4];
    batch.gsoSize[p] = saved[at + 5];
    batch.headerBytes[p] = saved[at + 6];
    batch.csumStart[p] = saved[at + 7];
    batch.csumOffset[p] = saved[at + 8];
    batch.l3[p] = saved[at + 9];
    batch.l4[p] = saved[at + 10];
    batch.priority[p] = saved[at + 12];
    // What the clone did with the bytes before it copied them is not known any more: assume the most.
    batch.shared[p] = saved[at + 11] | SHARED_QUEUED;
    if (this.recirculated !== recirculated) batch.shared[p] |= SHARED_ALIAS;
    for (let i = 0; i < DP_WORDS; i++) batch.keys[base + i] = this.savedKeys[key + i];
  }
}

/** The pairs of word and value in program[from, end) become the tunnel of frame p. */
function setTunnel(batch: Batch, p: number, program: Int32Array, from: number, end: number): void {
  const base = p * DP_WORDS;
  clearTunnel(batch.keys, base);
  for (let at = from; at + 1 < end; at += 2) batch.keys[base + program[at]] = program[at + 1];
  batch.keyDirty[p] |= DIRTY_COLD;
}

/** True for the words of a key that are metadata: a recirculated frame keeps them, its headers are read again. */
const isMetadata = (word: number): boolean => word <= PACKET_TYPE || word >= CT_STATE;
