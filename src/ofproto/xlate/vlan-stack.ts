/**
 * The VLAN tags of a translation, as lists, outermost first, in three states: `arrived` (as the frame came in),
 * `onWire` (after the program so far) and `tags` (as the pipeline wants them). They are brought together only when
 * an output needs it, so that the program has the fewest pushes and pops. Deeper tags than the VLAN limit are
 * payload and stand in none of the lists.
 */
import type { ProgramBuilder } from '../../datapath/program.ts';
import { VLAN_CFI, VLAN0, VLAN1 } from '../../packet/key.ts';

/** Tags that one translation can have pushed; only two of them can be seen. */
const MAX_TAGS = 4;

export interface Wire {
  readonly tags: readonly number[];
  readonly arrivedLeft: number;
}

export class VlanStack {
  private readonly flow: Uint32Array;
  private readonly mask: Uint32Array;
  private readonly limit: number;
  private readonly arrived: readonly number[];
  private onWire: readonly number[];
  /** How many of `arrived` are still on the wire, at the inner end. */
  private arrivedLeft: number;
  private wanted: readonly number[];

  /** Clears what is deeper than the limit in `flow`. */
  constructor(flow: Uint32Array, mask: Uint32Array, limit: number) {
    this.flow = flow;
    this.mask = mask;
    this.limit = limit;
    const tags: number[] = [];
    if (flow[VLAN0] !== 0) tags.push(flow[VLAN0]);
    if (flow[VLAN0] !== 0 && flow[VLAN1] !== 0 && limit > 1) tags.push(flow[VLAN1]);
    if (tags.length < 2) flow[VLAN1] = 0;
    this.arrived = tags;
    this.onWire = tags;
    this.arrivedLeft = tags.length;
    this.wanted = tags;
  }

  get tags(): readonly number[] {
    return this.wanted;
  }

  /** Changes the tags in the pipeline; the frame follows at the next output. */
  setTags(tags: readonly number[]): void {
    this.wanted = tags;
    this.flow[VLAN0] = tags.length > 0 ? tags[0] : 0;
    this.flow[VLAN1] = tags.length > 1 ? tags[1] : 0;
    // The inner tag now stands where tables look for the outer one: its bits no longer tell themselves apart.
    if (this.arrived.length > 1 && tags.length < this.arrived.length) this.mask[VLAN1] = 0xffffffff;
  }

  /** A field of the outer tag was written in the flow: the list follows. */
  adoptOuter(): void {
    const tag = this.flow[VLAN0];
    const inner = this.wanted.slice(1);
    // A new tag may happen to be what is on the wire: whether it is takes all bits of that.
    if (this.wanted.length === 0) this.maskAll();
    // Without its present bit a tag is none.
    if ((tag & VLAN_CFI) === 0) this.setTags(inner);
    else this.wanted = [(tag & 0xffff0000) === 0 ? (0x81000000 | tag) >>> 0 : tag, ...inner];
    this.flow[VLAN0] = this.wanted[0] ?? 0;
  }

  /** The new tag has the ID and the priority of the one that was the outer one (OpenFlow 1.3.5, 5.12.2). */
  pushTag(ethType: number): void {
    // The tags move: which bits of which tag a later lookup consults can no longer be told apart.
    this.maskAll();
    const outer = (this.wanted[0] ?? 0) & 0xffff;
    this.setTags([((ethType << 16) | VLAN_CFI | outer) >>> 0, ...this.wanted].slice(0, MAX_TAGS));
  }

  popTag(): void {
    this.consult(0, VLAN_CFI);
    if (this.wanted.length > 1) this.maskAll();
    if (this.wanted.length > 0) this.setTags(this.wanted.slice(1));
  }

  private maskAll(): void {
    for (let i = 0; i < Math.max(1, this.arrived.length); i++) this.maskArrived(i);
  }

  /** Notes that bits of the tag at `index` (or its absence) were looked at, wherever it came from. */
  consult(index: number, bits: number): void {
    const at = index + this.arrived.length - this.wanted.length;
    if (at < 0 || at >= Math.min(2, this.limit)) return;
    // Without an outer tag there is no inner one.
    if (at === 1 && this.arrived.length === 0) return;
    this.mask[VLAN0 + at] |= bits;
  }

  commit(program: ProgramBuilder, compared: boolean): void {
    const { onWire, wanted } = this;
    let same = 0;
    while (
      same < onWire.length &&
      same < wanted.length &&
      onWire[onWire.length - 1 - same] === wanted[wanted.length - 1 - same]
    ) {
      same++;
    }
    if (same === onWire.length && same === wanted.length) return;
    if (compared) {
      for (let i = 0; i < this.arrivedLeft; i++) this.maskArrived(this.arrived.length - 1 - i);
    }
    for (let left = onWire.length; left > same; left--) {
      if (left <= this.arrivedLeft) {
        this.maskArrived(this.arrived.length - this.arrivedLeft);
        this.arrivedLeft--;
      }
      program.popVlan();
    }
    for (let i = wanted.length - 1 - same; i >= 0; i--) {
      program.pushVlan(wanted[i] >>> 16, wanted[i] & 0xffff);
    }
    this.onWire = wanted;
  }

  private maskArrived(index: number): void {
    if (index >= 0 && index < 2) this.mask[VLAN0 + index] = 0xffffffff;
  }

  /** The tags are payload now, behind a new outer header. */
  bury(): void {
    this.onWire = [];
    this.arrivedLeft = 0;
    this.setTags([]);
  }

  saveWire(): Wire {
    return { tags: this.onWire, arrivedLeft: this.arrivedLeft };
  }

  restoreWire(wire: Wire): void {
    this.onWire = wire.tags;
    this.arrivedLeft = wire.arrivedLeft;
  }
}
