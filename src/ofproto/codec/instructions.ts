/**
 * Instructions of OpenFlow 1.1+ (1.3.5, 7.2.4), and the plain actions of 1.0, as one list of the model: the meter first, then
 * what is applied, clear, write, metadata and goto, in the order in which they are executed (5.9).
 */
import type { Action, ActionKind, ActionOf } from '../../flowtable/action.ts';
import { readActions, readFlowActions, writeActions } from './actions.ts';
import { meterIsInstruction } from './actions-lower.ts';
import type { Reader } from './reader.ts';
import { OF10, type OfVersion } from './versions.ts';
import type { Writer } from './writer.ts';

const GOTO_TABLE = 1;
const WRITE_METADATA = 2;
const WRITE_ACTIONS = 3;
const APPLY_ACTIONS = 4;
const CLEAR_ACTIONS = 5;
const METER = 6;
const EXPERIMENTER = 0xffff;
/** Longer lists are read each time. */
const MAX_KNOWN_BYTES = 256;

/** Length of an instruction, or the least of one that holds actions. */
const LENGTHS: Readonly<Record<number, number>> = {
  [GOTO_TABLE]: 8,
  [WRITE_METADATA]: 24,
  [WRITE_ACTIONS]: 8,
  [APPLY_ACTIONS]: 8,
  [CLEAR_ACTIONS]: 8,
  [METER]: 8,
};

/** Actions that an action set may hold (OpenFlow 1.3.5, 5.10), Nicira's among them as Open vSwitch allows. */
const IN_SET: ReadonlySet<ActionKind> = new Set<ActionKind>([
  'normal',
  'output',
  'enqueue',
  'controller',
  'outputReg',
  'bundle',
  'group',
  'setQueue',
  'setVlanVid',
  'setVlanPcp',
  'stripVlan',
  'pushVlan',
  'setEthSrc',
  'setEthDst',
  'setIpv4Src',
  'setIpv4Dst',
  'setIpTos',
  'setIpEcn',
  'setIpTtl',
  'setTpSrc',
  'setTpDst',
  'setField',
  'load',
  'move',
  'decTtl',
  'copyTtlOut',
  'copyTtlIn',
  'setMplsLabel',
  'setMplsTc',
  'setMplsTtl',
  'decMplsTtl',
  'pushMpls',
  'popMpls',
  'pushPbb',
  'popPbb',
  'setTunnel',
  'resubmit',
  'ct',
  'ctClear',
  'clone',
  'encap',
  'decap',
  'decNshTtl',
  'deleteField',
  'meter',
]);

const knows = (version: OfVersion, type: number): boolean =>
  type === METER ? meterIsInstruction(version) : LENGTHS[type] !== undefined;

/** The window of an instruction's body, by type. */
function readWindows(r: Reader): Map<number, Reader> {
  const windows = new Map<number, Reader>();
  while (r.left > 0) {
    if (r.left < 8) r.fail('OFPBIC_BAD_LEN');
    const type = r.peekU16();
    const length = r.peekU16(2);
    if (length < 8 || length % 8 !== 0 || length > r.left) r.fail('OFPBIC_BAD_LEN');
    if (type === EXPERIMENTER) r.fail('OFPBIC_BAD_EXPERIMENTER');
    if (!knows(r.version, type)) r.fail('OFPBIC_UNKNOWN_INST');
    const holdsActions = type === WRITE_ACTIONS || type === APPLY_ACTIONS;
    if (!holdsActions && length !== LENGTHS[type]) r.fail('OFPBIC_BAD_LEN');
    if (windows.has(type)) r.fail('OFPBIC_DUP_INST');
    const window = r.window(length, 'OFPBIC_BAD_LEN');
    window.skip(4);
    windows.set(type, window);
  }
  return windows;
}

function readActionSet(r: Reader): readonly Action[] {
  r.skip(4);
  const actions = readActions(r);
  if (actions.some((a) => !IN_SET.has(a.kind))) r.fail('OFPBAC_BAD_TYPE');
  return actions;
}

/** What a flow-mod's body says after its match, up to the end of the window: actions in 1.0, instructions later. */
export function readInstructions(r: Reader): readonly Action[] {
  const { instructions, tunMetadata } = r.context;
  if (instructions === undefined || r.left > MAX_KNOWN_BYTES) return readAnew(r);
  const key = r.restKey();
  const known = instructions.find(key);
  if (known !== undefined) {
    r.skip(r.left);
    return known;
  }
  // What the TLV table says may change: lists that depend on it are read each time.
  let asked = false;
  const place = (index: number) => {
    asked = true;
    return tunMetadata?.(index) ?? null;
  };
  const list = readAnew(r.windowIn({ ...r.context, tunMetadata: place }));
  if (!asked) instructions.keep(key, list);
  return list;
}

function readAnew(r: Reader): readonly Action[] {
  if (r.version === OF10) return readFlowActions(r);
  const windows = readWindows(r);
  const list: Action[] = [];
  const meter = windows.get(METER);
  if (meter !== undefined) list.push({ kind: 'meter', meterId: meter.u32() });
  const apply = windows.get(APPLY_ACTIONS);
  if (apply !== undefined) {
    apply.skip(4);
    list.push(...readFlowActions(apply));
  }
  if (windows.has(CLEAR_ACTIONS)) list.push({ kind: 'clearActions' });
  const write = windows.get(WRITE_ACTIONS);
  if (write !== undefined) list.push({ kind: 'writeActions', actions: readActionSet(write) });
  const metadata = windows.get(WRITE_METADATA);
  if (metadata !== undefined) {
    metadata.skip(4);
    list.push({ kind: 'writeMetadata', value: metadata.u64(), mask: metadata.u64() });
  }
  const goto = windows.get(GOTO_TABLE);
  if (goto !== undefined) list.push({ kind: 'gotoTable', table: goto.u8() });
  return list;
}

const INSTRUCTIONS: ReadonlySet<ActionKind> = new Set<ActionKind>([
  'clearActions',
  'writeActions',
  'writeMetadata',
  'gotoTable',
]);

function find<K extends ActionKind>(actions: readonly Action[], kind: K): ActionOf<K> | undefined {
  return actions.find((a): a is ActionOf<K> => a.kind === kind);
}

function begin(w: Writer, type: number): number {
  const start = w.length;
  w.u16(type);
  w.u16(0);
  return start;
}

const end = (w: Writer, start: number): void => w.patchU16(start + 2, w.length - start);

function writeList(w: Writer, type: number, actions: readonly Action[]): void {
  const start = begin(w, type);
  w.zeros(4);
  writeActions(w, actions);
  end(w, start);
}

/** Appends what readInstructions reads. */
export function writeInstructions(w: Writer, actions: readonly Action[]): void {
  if (w.version === OF10) {
    writeActions(w, actions);
    return;
  }
  const meter = meterIsInstruction(w.version) ? find(actions, 'meter') : undefined;
  if (meter !== undefined) {
    const start = begin(w, METER);
    w.u32(meter.meterId);
    end(w, start);
  }
  const applied = actions.filter(
    (a) => !INSTRUCTIONS.has(a.kind) && a !== meter && a.kind !== 'drop',
  );
  if (applied.length > 0) writeList(w, APPLY_ACTIONS, applied);
  if (find(actions, 'clearActions') !== undefined) {
    const start = begin(w, CLEAR_ACTIONS);
    w.zeros(4);
    end(w, start);
  }
  const write = find(actions, 'writeActions');
  if (write !== undefined) writeList(w, WRITE_ACTIONS, write.actions);
  const metadata = find(actions, 'writeMetadata');
  if (metadata !== undefined) {
    const start = begin(w, WRITE_METADATA);
    w.zeros(4);
    w.u64(metadata.value);
    w.u64(metadata.mask);
    end(w, start);
  }
  const goto = find(actions, 'gotoTable');
  if (goto !== undefined) {
    const start = begin(w, GOTO_TABLE);
    w.u8(goto.table);
    w.zeros(3);
    end(w, start);
  }
}
