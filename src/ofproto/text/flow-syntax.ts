/**
 * A flow as ovs-ofctl(8), "Flow Syntax", describes it: `table=1,priority=5,tcp,tp_dst=80,actions=output:1`. What it says goes
 * into a FlowMod whose command the caller chooses; what it does not say has the command's default.
 */

import type { Action } from '../../flowtable/action.ts';
import { MatchFields } from '../codec/match-fields.ts';
import type { WireContext } from '../codec/reader.ts';
import type { OfVersion } from '../codec/versions.ts';
import {
  type FlowFlags,
  type FlowMod,
  type FlowModCommand,
  NO_BUFFER,
  NO_FLAGS,
  OFPG_ANY,
  OFPTT_ALL,
} from '../model.ts';
import { parseActions } from './actions-syntax.ts';
import { addMatchWord } from './match-syntax.ts';
import { DEFAULT_PRIORITY } from './match-text.ts';
import {
  bigNumber,
  fault,
  knownPort,
  type NameLookup,
  type Parsed,
  parsed,
  smallNumber,
  tableOf,
  type Word,
  words,
} from './syntax.ts';

const U64 = 0xffff_ffff_ffff_ffffn;

const FLAGS: Readonly<Record<string, keyof FlowFlags>> = {
  send_flow_rem: 'sendFlowRemoved',
  check_overlap: 'checkOverlap',
  reset_counts: 'resetCounts',
  no_packet_counts: 'noPacketCounts',
  no_byte_counts: 'noByteCounts',
  no_readonly_table: 'noReadonly',
  allow_hidden_fields: 'hiddenFields',
};

type Draft = { -readonly [K in keyof FlowMod]: FlowMod[K] };
type Names = NameLookup & Partial<Pick<WireContext, 'tunMetadata'>>;

/** `cookie=value/mask` restricts; `cookie=value` is the new flow's. */
function cookie(flow: Draft, text: string): void {
  const [value, mask] = text.split('/');
  if (mask === undefined) {
    flow.newCookie = value === '-1' ? U64 : bigNumber(value, 'cookie');
    return;
  }
  flow.cookie = value === '-1' ? U64 : bigNumber(value, 'cookie');
  flow.cookieMask = mask === '-1' ? U64 : bigNumber(mask, 'cookie mask');
}

function setting(flow: Draft, { key, value }: Word, names: Names): boolean {
  const flag = value === null ? FLAGS[key] : undefined;
  if (flag !== undefined) {
    flow.flags = { ...flow.flags, [flag]: true };
    return true;
  }
  const text = value ?? '';
  switch (key) {
    case 'table':
      flow.tableId = tableOf(text, names);
      return true;
    case 'priority':
      flow.priority = smallNumber(text, 'priority');
      return true;
    case 'idle_timeout':
      flow.idleTimeoutSeconds = smallNumber(text, key);
      return true;
    case 'hard_timeout':
      flow.hardTimeoutSeconds = smallNumber(text, key);
      return true;
    case 'importance':
      flow.importance = smallNumber(text, key);
      return true;
    case 'cookie':
      cookie(flow, text);
      return true;
    case 'out_port':
      flow.outPort = knownPort(text, names);
      return true;
    case 'out_group':
      flow.outGroup = smallNumber(text, key, 32);
      return true;
    default:
      return ['duration', 'n_packets', 'n_bytes', 'idle_age', 'hard_age'].includes(key);
  }
}

/** Instructions in the order of OpenFlow 1.1 and later; all other actions are applied in front of them. */
const INSTRUCTIONS = [
  ['clearActions', 'clear_actions'],
  ['writeActions', 'write_actions'],
  ['writeMetadata', 'write_metadata'],
  ['gotoTable', 'goto_table'],
] as const;

function checkInstructions(actions: readonly Action[]): void {
  const why = 'for OpenFlow 1.1+ compatibility';
  let last = -1;
  for (const { kind } of actions) {
    // A meter goes first or, since 1.5, anywhere.
    if (kind === 'meter') continue;
    const rank = INSTRUCTIONS.findIndex(([one]) => one === kind);
    if (rank >= 0 && rank === last) {
      fault(`duplicate ${INSTRUCTIONS[rank][1]} instruction not allowed, ${why}`);
    }
    if (rank < last) {
      const name = rank < 0 ? 'apply_actions' : INSTRUCTIONS[rank][1];
      const before = INSTRUCTIONS[last][1];
      fault(`invalid instruction ordering: ${name} must appear before ${before}, ${why}`);
    }
    last = rank;
  }
}

/** Words of new flows, and words that choose among flows; a strict deletion has a priority, too. */
const OF_NEW = new Set([
  ...['idle_timeout', 'hard_timeout', 'importance', 'priority'],
  ...Object.keys(FLAGS),
]);
const OF_CHOICE = new Set(['out_port', 'out_group']);

function isAllowed(key: string, command: FlowModCommand): boolean {
  if (command === 'deleteStrict' && key === 'priority') return true;
  const deletes = command === 'delete' || command === 'deleteStrict';
  return !(deletes ? OF_NEW : OF_CHOICE).has(key);
}

const DEFAULTS = {
  tableId: 0,
  priority: DEFAULT_PRIORITY,
  newCookie: 0n,
  cookie: 0n,
  cookieMask: 0n,
  idleTimeoutSeconds: 0,
  hardTimeoutSeconds: 0,
  importance: 0,
  bufferId: NO_BUFFER,
  outPort: null,
  outGroup: null,
  flags: NO_FLAGS,
} as const;

function readFlow(
  text: string,
  command: FlowModCommand,
  version: OfVersion,
  names: Names,
): FlowMod {
  const at = /(?:^|[\s,])actions?\s*=/.exec(text);
  const head = at === null ? text : text.slice(0, at.index);
  const tail = at === null ? null : text.slice(at.index + at[0].length);
  const match = new MatchFields();
  const deletes = command === 'delete' || command === 'deleteStrict';
  const flow: Draft = {
    ...DEFAULTS,
    tableId: command === 'add' ? 0 : OFPTT_ALL,
    newCookie: command === 'add' ? 0n : null,
    command,
    version,
    match: match.build(),
    actions: [],
  };
  for (const word of words(head)) {
    if (!isAllowed(word.key, command)) fault(`unknown keyword ${word.key}`);
    if (setting(flow, word, names) || addMatchWord(match, word.key, word.value, names, true))
      continue;
    fault(word.value === null ? `field ${word.key} missing value` : `unknown keyword ${word.key}`);
  }
  flow.match = match.build();
  if (deletes) {
    if (tail !== null) fault('unknown keyword actions');
    if (flow.newCookie !== null) {
      const text = `0x${flow.newCookie.toString(16)}`;
      fault(`cannot set cookie (to match on a cookie, specify a mask, e.g. cookie=${text}/-1)`);
    }
  }
  if (tail !== null) flow.actions = parseActions(tail, names);
  else if (!deletes) fault('must specify an action');
  checkInstructions(flow.actions);
  if (command === 'add' && flow.cookieMask !== 0n) fault('flow additions cannot use a cookie mask');
  if (flow.outGroup === OFPG_ANY) flow.outGroup = null;
  return flow;
}

/** The flow, or what is wrong with the text. */
export const parseFlow = (
  text: string,
  command: FlowModCommand,
  version: OfVersion,
  names: Names = {},
): Parsed<FlowMod> => parsed(() => readFlow(text, command, version, names));
