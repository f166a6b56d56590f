/**
 * Geneve options in a flow key, in their two forms, and the table between them.
 *
 * Raw, as a datapath sees them (key.ts, [TUN_OPTIONS_LENGTH, DP_WORDS)): the options one after the other as they lie in the packet.
 * Each is a head word `class:16 type:8 reserved:3 words:5`, whose `words` value words follow; TUN_OPTIONS_LENGTH has the bytes of all,
 * and words behind them are 0. Whoever decapsulates writes this form and whoever encapsulates reads it; neither knows the table.
 *
 * As fields, in the pipeline (TUN_METADATA_PRESENT, TUN_METADATA): tun_metadataN has its bit among the present ones, and its value at
 * the place that the table of the bridge gave it, 0 while the option is absent. `optionsToFields` makes fields of raw options before a
 * translation, `maskToOptions` takes the consulted bits back after it, and `fieldsToOptions` writes the options of a packet to be sent.
 *
 * A table never changes: a modification makes another one (NXT_TLV_TABLE_MOD). Which option is which field is so a matter of a bridge,
 * as in Open vSwitch, and megaflows that were made with an older table are translated again like after any other change.
 */
import { TUN_METADATA, TUN_METADATA_PRESENT, TUN_OPTIONS, TUN_OPTIONS_LENGTH } from './key.ts';

/** tun_metadata0..63. */
export const TLV_FIELDS = 64;
/** Bytes that the values of all fields have together. */
export const TLV_SPACE_BYTES = 256;
/** Bytes of the longest list of options: what the six bits of Geneve's header can say. */
const MAX_OPTIONS_BYTES = 252;
const CRITICAL = 0x8000;
/** All of an option's head but its reserved bits. */
const HEAD_MASK = 0xffffff1f;

/** An option and the field that it is seen as. */
export interface TlvMap {
  readonly optionClass: number;
  readonly optionType: number;
  /** Bytes of the value: a multiple of 4, at most 124. */
  readonly optionLength: number;
  /** N of tun_metadataN. */
  readonly index: number;
}

/** Where a field's value lies behind TUN_METADATA, in bytes, both multiples of 4. */
export interface TunMetadataPlace {
  readonly offset: number;
  readonly length: number;
}

interface Entry extends TlvMap, TunMetadataPlace {
  /** Class and type. */
  readonly key: number;
}

/** Why a table cannot be extended (OpenFlow errors). */
type TlvError = 'NXTTMFC_ALREADY_MAPPED' | 'NXTTMFC_DUP_ENTRY' | 'NXTTMFC_TABLE_FULL';

/** Word and bit of tun_metadataN among the present ones. */
export const presentWord = (index: number): number => TUN_METADATA_PRESENT + (index < 32 ? 1 : 0);
export const presentBit = (index: number): number => (1 << (index & 31)) >>> 0;

const NONE = (): ReadonlySet<number> => new Set();

/** The first gap between fields that is long enough; null without one. */
function room(entries: readonly Entry[], length: number): number | null {
  let offset = 0;
  for (const taken of [...entries].sort((a, b) => a.offset - b.offset)) {
    if (taken.offset - offset >= length) return offset;
    offset = Math.max(offset, taken.offset + taken.length);
  }
  return TLV_SPACE_BYTES - offset >= length ? offset : null;
}

export class TlvTable {
  /** Ascending by field. */
  private readonly entries: readonly Entry[];
  private readonly byKey: ReadonlyMap<number, Entry>;
  private readonly byIndex: ReadonlyMap<number, Entry>;

  private constructor(entries: readonly Entry[]) {
    this.entries = [...entries].sort((a, b) => a.index - b.index);
    this.byKey = new Map(entries.map((entry) => [entry.key, entry]));
    this.byIndex = new Map(entries.map((entry) => [entry.index, entry]));
  }

  static readonly EMPTY = new TlvTable([]);

  /** Ascending by field. */
  maps(): readonly TlvMap[] {
    return this.entries;
  }

  /** Null for a field that is not mapped. */
  place(index: number): TunMetadataPlace | null {
    return this.byIndex.get(index) ?? null;
  }

  /**
   * The table with these besides. Lengths and indices must be in their ranges. Where the space left is in pieces, fields that are not
   * `used` move together: flows name the places of the others.
   */
  with(maps: readonly TlvMap[], used: () => ReadonlySet<number> = NONE): TlvTable | TlvError {
    let table: TlvTable = this;
    for (const map of maps) {
      if (table.byIndex.has(map.index)) return 'NXTTMFC_ALREADY_MAPPED';
      const key = (map.optionClass << 8) | map.optionType;
      if (table.byKey.has(key)) return 'NXTTMFC_DUP_ENTRY';
      let offset = room(table.entries, map.optionLength);
      if (offset === null) {
        table = table.compacted(used());
        offset = room(table.entries, map.optionLength);
      }
      if (offset === null) return 'NXTTMFC_TABLE_FULL';
      const { optionClass, optionType, optionLength, index } = map;
      const entry = { optionClass, optionType, optionLength, index, key, offset };
      table = new TlvTable([...table.entries, { ...entry, length: optionLength }]);
    }
    return table;
  }

  /** The table without these fields, mapped or not. */
  without(indices: readonly number[]): TlvTable {
    return new TlvTable(this.entries.filter((entry) => !indices.includes(entry.index)));
  }

  /** The table with the fields that may be moved at the first places that the others leave, the longest first. */
  private compacted(used: ReadonlySet<number>): TlvTable {
    const entries = this.entries.filter(({ index }) => used.has(index));
    const movable = this.entries.filter(({ index }) => !used.has(index));
    for (const entry of movable.sort((a, b) => b.length - a.length)) {
      const offset = room(entries, entry.length);
      if (offset === null) return this;
      entries.push({ ...entry, offset });
    }
    return new TlvTable(entries);
  }

  /** Makes whatever fields are present in `flow` count in `mask`, and which ones those are. */
  consultPresent(flow: Uint32Array, mask: Uint32Array): void {
    mask[TUN_OPTIONS] |= HEAD_MASK;
    for (const { index, offset, length } of this.entries) {
      if ((flow[presentWord(index)] & presentBit(index)) === 0) continue;
      mask[presentWord(index)] |= presentBit(index);
      const from = TUN_METADATA + (offset >>> 2);
      mask.fill(0xffffffff, from, from + (length >>> 2));
    }
  }

  /**
   * Fills in the fields of a flow from its raw options. False, with some of them filled in, when an option is cut off or of another
   * length than its field, or is critical and not mapped: such a packet is dropped (RFC 8926, 3.5).
   */
  optionsToFields(flow: Uint32Array): boolean {
    const end = TUN_OPTIONS + (Math.min(flow[TUN_OPTIONS_LENGTH], MAX_OPTIONS_BYTES) >>> 2);
    for (let at = TUN_OPTIONS; at < end; ) {
      const head = flow[at];
      const count = head & 0x1f;
      if (at + 1 + count > end) return false;
      const entry = this.byKey.get(head >>> 8);
      if (entry !== undefined) {
        if (entry.length !== 4 * count) return false;
        flow[presentWord(entry.index)] |= presentBit(entry.index);
        const to = TUN_METADATA + (entry.offset >>> 2);
        for (let i = 0; i < count; i++) flow[to + i] = flow[at + 1 + i];
      } else if ((head & CRITICAL) !== 0) return false;
      at += 1 + count;
    }
    return true;
  }

  /**
   * Takes the bits of fields that were consulted back to the raw options of `flow`. Which fields there are depends on the heads of all
   * options, so that they are consulted as soon as one field is.
   */
  maskToOptions(flow: Uint32Array, mask: Uint32Array): void {
    mask[TUN_OPTIONS_LENGTH] = 0xffffffff;
    const end = TUN_OPTIONS + (Math.min(flow[TUN_OPTIONS_LENGTH], MAX_OPTIONS_BYTES) >>> 2);
    for (let at = TUN_OPTIONS; at < end; ) {
      const count = flow[at] & 0x1f;
      mask[at] |= HEAD_MASK;
      const entry = this.byKey.get(flow[at] >>> 8);
      if (entry !== undefined && entry.length === 4 * count) {
        const from = TUN_METADATA + (entry.offset >>> 2);
        for (let i = 0; i < count && at + 1 + i < end; i++) mask[at + 1 + i] |= mask[from + i];
      }
      at += 1 + count;
    }
  }

  /**
   * The raw options of the fields that are present in `flow`, in the order of the fields, written at into[TUN_OPTIONS_LENGTH ..]. `into`
   * may be `flow`. Fields for which Geneve's header has no room are left out.
   */
  fieldsToOptions(flow: Uint32Array, into: Uint32Array): void {
    let at = TUN_OPTIONS;
    const last = TUN_OPTIONS + (MAX_OPTIONS_BYTES >>> 2);
    for (const { index, optionClass, optionType, offset, length } of this.entries) {
      if ((flow[presentWord(index)] & presentBit(index)) === 0) continue;
      const count = length >>> 2;
      if (at + 1 + count > last) break;
      into[at++] = (optionClass << 16) | (optionType << 8) | count;
      const from = TUN_METADATA + (offset >>> 2);
      for (let i = 0; i < count; i++) into[at++] = flow[from + i];
    }
    into[TUN_OPTIONS_LENGTH] = 4 * (at - TUN_OPTIONS);
    into.fill(0, at, TUN_OPTIONS + (TLV_SPACE_BYTES >>> 2));
  }
}
