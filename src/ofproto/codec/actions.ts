/**
 * Lists of actions: `type:16 length:16`, for type 0xffff a vendor and its subtype, and a body, in multiples of 8 bytes
 * (OpenFlow 1.3.5, 7.2.5). The forms are in the tables; this file frames them.
 */
import type { Action } from '../../flowtable/action.ts';
import { type ActionForm, NICIRA, ONF } from './action-form.ts';
import { lowerAction } from './actions-lower.ts';
import { nestedForms } from './actions-nested.ts';
import { NICIRA_FORMS } from './actions-nicira.ts';
import { STANDARD_FORMS } from './actions-standard.ts';
import type { Reader } from './reader.ts';
import { OF_VERSIONS, type OfVersion } from './versions.ts';
import type { Codec } from './wire.ts';
import type { Writer } from './writer.ts';

const VENDOR = 0xffff;
const SHORTEST = 8;
const SHORTEST_OF_VENDOR = 16;

/** A list up to the end of the window. Nat is let through: only ct may hold it, and whoever reads others refuses it. */
const actionList: Codec<readonly Action[]> = {
  decode(r) {
    const actions: Action[] = [];
    while (r.left > 0) actions.push(readAction(r));
    return actions;
  },
  encode(w, actions) {
    for (const action of actions) {
      for (const lowered of lowerAction(action, w.context)) writeAction(w, lowered);
    }
  },
};

const FORMS: readonly ActionForm[] = [
  ...STANDARD_FORMS,
  ...NICIRA_FORMS,
  ...nestedForms(actionList),
];

const wireKey = (version: OfVersion, vendor: number, type: number): string =>
  `${version}/${vendor}/${type}`;

const byWire = new Map<string, ActionForm>();
const byKind = new Map<string, ActionForm[]>();
for (const form of FORMS) {
  for (const version of OF_VERSIONS) {
    if (version < form.first || version > form.last) continue;
    const key = wireKey(version, form.vendor, form.type);
    // Output comes first: a port that has a kind of its own is told apart when it is read.
    if (!byWire.has(key)) byWire.set(key, form);
    const kind = `${version}/${form.kind}`;
    const list = byKind.get(kind) ?? [];
    list.push(form);
    byKind.set(kind, list);
  }
}

const OFPP_NORMAL = 0xfffa;

/** Output to the NORMAL port is a kind of the model. */
const raise = (action: Action): Action =>
  action.kind === 'output' && action.port === OFPP_NORMAL ? { kind: 'normal' } : action;

/** Which action stands here; an unknown one is so whatever its length. */
function peekForm(r: Reader): ActionForm {
  const type = r.peekU16();
  if (type !== VENDOR) {
    return byWire.get(wireKey(r.version, 0, type)) ?? r.fail('OFPBAC_BAD_TYPE');
  }
  const vendor = r.peekU16(4) * 0x10000 + r.peekU16(6);
  if (vendor !== NICIRA && vendor !== ONF) r.fail('OFPBAC_BAD_VENDOR');
  const length = r.peekU16(2);
  if (length < SHORTEST_OF_VENDOR || r.left < SHORTEST_OF_VENDOR) r.fail('OFPBAC_BAD_LEN');
  const subtype = r.peekU16(8);
  return byWire.get(wireKey(r.version, vendor, subtype)) ?? r.fail('OFPBAC_BAD_VENDOR_TYPE');
}

function readAction(r: Reader): Action {
  if (r.left < SHORTEST) r.fail('OFPBAC_BAD_LEN');
  const form = peekForm(r);
  const length = r.peekU16(2);
  if (length < SHORTEST || length % 8 !== 0 || length > r.left) r.fail('OFPBAC_BAD_LEN');
  const inner = r.window(length, 'OFPBAC_BAD_LEN');
  inner.skip(form.vendor === 0 ? 4 : 10);
  const fits = form.mayBeLonger ? length >= form.length : length === form.length;
  if (!fits) r.fail('OFPBAC_BAD_LEN');
  const body = form.body.decode(inner);
  return raise({ kind: form.kind, ...(body as object) } as Action);
}

function writeAction(w: Writer, action: Action): void {
  const forms = byKind.get(`${w.version}/${action.kind}`);
  const form = forms?.find((f) => f.accepts === undefined || f.accepts(action, w.version));
  if (form === undefined) return;
  const start = w.length;
  w.u16(form.vendor === 0 ? form.type : VENDOR);
  w.u16(0);
  if (form.vendor !== 0) {
    w.u32(form.vendor);
    w.u16(form.type);
  }
  form.body.encode(w, action);
  const missing = form.length - (w.length - start);
  if (missing > 0) w.zeros(missing);
  w.padTo(8, start);
  w.patchU16(start + 2, w.length - start);
}

const CT_FIELDS = ['ct_mark', 'ct_label'];

/** What only ct may hold: nat, and setting what belongs to a connection. */
function checkOutside(r: Reader, actions: readonly Action[]): void {
  for (const a of actions) {
    if (a.kind === 'nat') r.fail('OFPBAC_BAD_ARGUMENT');
    const target =
      a.kind === 'setField' ? a.field : a.kind === 'load' || a.kind === 'move' ? a.dst.field : null;
    if (target !== null && CT_FIELDS.includes(target.name)) r.fail('OFPBAC_BAD_SET_ARGUMENT');
  }
}

/**
 * The next `length` bytes as the actions of a flow, among which Nicira's write_metadata may be, the one instruction that is an
 * action, too.
 */
export function readFlowActions(r: Reader, length = r.left): readonly Action[] {
  if (length % 8 !== 0 || length > r.left) r.fail('OFPBRC_BAD_LEN');
  const actions = actionList.decode(r.window(length, 'OFPBAC_BAD_LEN'));
  checkOutside(r, actions);
  // As an instruction it is behind all that is applied.
  const at = actions.findIndex((a) => a.kind === 'writeMetadata');
  if (at >= 0 && at < actions.length - 1) r.fail('OFPBAC_UNSUPPORTED_ORDER');
  return actions;
}

/** The next `length` bytes as a list that stands by itself: of a packet-out, a bucket, an action set. */
export function readActions(r: Reader, length = r.left): readonly Action[] {
  const actions = readFlowActions(r, length);
  if (actions.some((a) => a.kind === 'writeMetadata')) r.fail('OFPBIC_UNSUP_INST');
  return actions;
}

/** Appends a list; gives its length. Actions that the version cannot express are left out. */
export function writeActions(w: Writer, actions: readonly Action[]): number {
  const start = w.length;
  actionList.encode(w, actions);
  return w.length - start;
}
