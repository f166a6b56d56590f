/** Flows: dump-flows, dump-aggregate, add-flow, add-flows, mod-flows, del-flows. */
import type { Action } from '../../flowtable/action.ts';
import { sameMatch } from '../../flowtable/match.ts';
import { MatchFields, namedField } from '../../ofproto/codec/match-fields.ts';
import { decodeMessage, encodeMessage, type Message } from '../../ofproto/codec/messages.ts';
import type { WireContext } from '../../ofproto/codec/reader.ts';
import { OF10, type OfVersion } from '../../ofproto/codec/versions.ts';
import {
  type FlowFilter,
  type FlowMod,
  type FlowModCommand,
  type FlowStatsEntry,
  OFPTT_ALL,
} from '../../ofproto/model.ts';
import { fieldByAnyName } from '../../ofproto/text/field-names.ts';
import {
  ANY_FORMAT,
  formatsOf,
  formatsText,
  NXM,
  usableFormats,
  usableToAsk,
} from '../../ofproto/text/flow-protocols.ts';
import { parseFlow } from '../../ofproto/text/flow-syntax.ts';
import { formatMatch } from '../../ofproto/text/match-text.ts';
import { normalizeMatch } from '../../ofproto/text/normalize-match.ts';
import { parsed } from '../../ofproto/text/syntax.ts';
import { VLAN_CFI, VLAN0 } from '../../packet/key.ts';
import { executeBundle } from './bundle.ts';
import type { Command, CommandTable, Shell } from './command.ts';
import { ask, dump, learnTunnelOptions, modify, optionsFor } from './dump.ts';
import { flowStatsText } from './flow-text.ts';
import { NO_NAMES, type PortNames } from './names.ts';
import { fail } from './ofctl-error.ts';
import type { OfctlOptions, SortKey } from './options.ts';
import type { Session } from './session.ts';

const COMMANDS: Readonly<Record<string, FlowModCommand>> = {
  add: 'add',
  modify: 'modify',
  modify_strict: 'modifyStrict',
  delete: 'delete',
  delete_strict: 'deleteStrict',
};

/** A flow; in files a command may stand in front. `where` precedes what is wrong. */
export function flowOf(
  text: string,
  command: FlowModCommand,
  session: Pick<Session, 'context'>,
  names: PortNames,
  where = '',
): FlowMod {
  const { version, tunMetadata } = session.context;
  const lookup = {
    portByName: names.portByName,
    tableByName: names.tableByName,
    ...(tunMetadata === undefined ? {} : { tunMetadata }),
  };
  const got = parseFlow(text, command, version, lookup);
  return got.ok ? got.value : fail(`${where}${got.error}`);
}

/** Refuses what cannot be said in a flow format that is allowed. */
export function demandFormat(shell: Shell, usable: number): void {
  const { formats } = shell.options;
  if ((usable & formats) !== 0) return;
  fail(
    `none of the usable flow formats (${formatsText(usable)}) is among the allowed flow formats (${formatsText(formats)})`,
  );
}

/** The same for what the session, whose version is known by now, can say. */
function demandFormatOf(shell: Shell, session: Session, usable: number): void {
  demandFormat(shell, usable);
  if ((usable & formatsOf(session.version)) !== 0) return;
  fail(`switch does not support any of the usable flow formats (${formatsText(usable)})`);
}

/** Formats in which a flow can be given; `where` precedes what is wrong. */
export function formatsOfFlow(mod: FlowMod, where = ''): number {
  const got = parsed(() => usableFormats(mod));
  return got.ok ? got.value : fail(`${where}${got.error}`);
}

/** The flow without what its match cannot mean, which is told. */
export function normalized<T extends Pick<FlowMod, 'match'>>(shell: Shell, flow: T): T {
  const match = normalizeMatch(flow.match);
  if (match === flow.match) return flow;
  const log = (text: string): void => shell.log('ofp_match', 'INFO', text);
  log('normalization changed ofp_match, details:');
  log(` pre: ${formatMatch(flow.match)}`);
  log(`post: ${formatMatch(match)}`);
  return { ...flow, match };
}

export function flowOfLine(
  line: string,
  session: Pick<Session, 'context'>,
  names: PortNames,
  where: string,
): FlowMod {
  const found = /^\s*(add|modify|delete|modify_strict|delete_strict)(?:\s+(.*))?$/s.exec(line);
  if (found === null) return flowOf(line, 'add', session, names, where);
  return flowOf(found[2] ?? '', COMMANDS[found[1]], session, names, where);
}

/** Lines with their numbers, without comments and empty ones. */
export const meaningful = (lines: readonly string[]): { text: string; number: number }[] =>
  lines
    .map((line, i) => ({ text: line.replace(/#.*/, '').trim(), number: i + 1 }))
    .filter(({ text }) => text !== '');

const flowContext = (mod: FlowMod): Partial<WireContext> => {
  const m = MatchFields.of(mod.match);
  return {
    flow: {
      hasVlan: (m.word(VLAN0) & m.maskWord(VLAN0) & VLAN_CFI) !== 0,
      ipProto: m.has(namedField('nw_proto')) ? m.ipProto : 0,
    },
  };
};

/** True when OpenFlow 1.0's own match says all of it; what says more goes as Nicira's message. */
function fits10(mod: FlowMod): boolean {
  if (mod.cookieMask !== 0n) return false;
  try {
    const bytes = encodeMessage({ kind: 'flowMod', flowMod: mod }, { version: OF10 }, 0);
    const back = decodeMessage(bytes, { version: OF10 });
    return (
      back.ok && back.message.kind === 'flowMod' && sameMatch(back.message.flowMod.match, mod.match)
    );
  } catch {
    return false;
  }
}

/** 1.0 has no goto_table, which resubmit stands for, and adds by modifying: the cookie of what is added is 0 unless it says otherwise. */
export function spoken(mod: FlowMod, version: OfVersion): FlowMod {
  if (version !== OF10) return mod;
  const modifies = mod.command === 'modify' || mod.command === 'modifyStrict';
  const actions = mod.actions.map(
    (action): Action =>
      action.kind === 'gotoTable'
        ? { kind: 'resubmit', port: null, table: action.table, withCt: false }
        : action,
  );
  const adds = modifies && mod.cookieMask === 0n && mod.newCookie === null;
  return { ...mod, actions, newCookie: adds ? 0n : mod.newCookie };
}

/** The message of a modification in the session's version, and what its encoding has to know. */
export function flowMessage(
  session: Session,
  wanted: FlowMod,
  formats = ANY_FORMAT,
): { readonly message: Message; readonly settings: Partial<WireContext> } {
  const mod = spoken(wanted, session.version);
  const settings = flowContext(mod);
  const isNxm = (formats & formatsOf(OF10) & ~NXM) === 0;
  const nicira = session.version === OF10 && (isNxm || !fits10(mod));
  return {
    message: { kind: 'flowMod', flowMod: mod, ...(nicira ? { form: 'nx' } : {}) },
    settings,
  };
}

/** In 1.0 tables can be named once the switch was told so. */
function allowTables(session: Session, mods: readonly FlowMod[]): void {
  if (session.version !== OF10 || session.context.flowModTableId) return;
  if (mods.every(({ tableId }) => tableId === OFPTT_ALL || tableId === 0)) return;
  session.send({ kind: 'flowModTableId', enabled: true });
  session.set({ flowModTableId: true });
}

export async function applyFlows(
  shell: Shell,
  session: Session,
  mods: readonly FlowMod[],
): Promise<number | undefined> {
  const usable = mods.reduce((bits, mod) => bits & formatsOfFlow(mod), ANY_FORMAT);
  demandFormatOf(shell, session, usable);
  allowTables(session, mods);
  const messages = mods.map((mod) =>
    flowMessage(session, normalized(shell, mod), shell.options.formats),
  );
  if (shell.options.bundle) return executeBundle(shell, session, messages);
  await modify(
    shell,
    session,
    messages.map(
      ({ message, settings }) =>
        () =>
          session.send(message, undefined, settings),
    ),
  );
  return undefined;
}

/** Fetches what texts may speak of: names of ports, and options of tunnels where they are used. */
export async function prepare(
  shell: Shell,
  session: Session,
  texts: readonly string[],
): Promise<PortNames> {
  if (texts.some((text) => text.includes('tun_metadata'))) await learnTunnelOptions(session);
  return shell.namesToAccept(session, texts);
}

const strictly = (command: FlowModCommand, { strict }: OfctlOptions): FlowModCommand => {
  if (!strict) return command;
  if (command === 'modify') return 'modifyStrict';
  return command === 'delete' ? 'deleteStrict' : command;
};

/** `[SWITCH, FLOW]`, or FILE, where `-` is standard input. */
const flowCommand = (command: FlowModCommand, file: boolean): Command => ({
  least: command === 'delete' ? 1 : 2,
  most: 2,
  usage: command === 'delete' ? 'SWITCH [FLOW]' : `SWITCH ${file ? 'FILE' : 'FLOW'}`,
  async run(shell, [target, text = '']) {
    const kind = strictly(command, shell.options);
    const isFile = file || text === '-';
    const lines = isFile ? meaningful(shell.readLines(text)) : [{ text, number: 1 }];
    const session = await shell.open(target);
    const names = await prepare(
      shell,
      session,
      lines.map((line) => line.text),
    );
    const mods = lines.map((line) => {
      if (!isFile) return flowOf(line.text, kind, session, names);
      const where = `${text === '-' ? '<stdin>' : text}:${line.number}: `;
      return kind === 'add'
        ? flowOfLine(line.text, session, names, where)
        : flowOf(line.text, kind, session, names, where);
    });
    return applyFlows(shell, session, mods);
  },
});

async function filterOf(shell: Shell, session: Session, text: string): Promise<FlowFilter> {
  const names = text === '' ? NO_NAMES : await prepare(shell, session, [text]);
  const mod = flowOf(text, 'delete', session, names);
  // A restriction has all bits of the cookie unless it says otherwise.
  const cookie = mod.newCookie ?? mod.cookie;
  const cookieMask = mod.newCookie === null ? mod.cookieMask : 0xffff_ffff_ffff_ffffn;
  const { tableId, match, outPort, outGroup } = mod;
  const filter = { tableId, match, cookie, cookieMask, outPort, outGroup };
  demandFormatOf(shell, session, usableToAsk(filter));
  return normalized(shell, filter);
}

/** In 1.0 Nicira's requests are used where they are allowed: they can say all that flows may be. */
const nicira = (shell: Shell, session: Session) =>
  session.version === OF10 && (shell.options.formats & NXM) !== 0 ? ({ form: 'nx' } as const) : {};

export async function flowsOf(
  shell: Shell,
  session: Session,
  filter: FlowFilter,
): Promise<FlowStatsEntry[]> {
  const replies = await ask(shell, session, {
    kind: 'flowStatsRequest',
    filter,
    ...nicira(shell, session),
  });
  return replies.flatMap((reply) => (reply.kind === 'flowStatsReply' ? reply.entries : []));
}

/** Flows that lack the field come last, in both directions. */
function compareBy({
  field,
  descending,
}: SortKey): (a: FlowStatsEntry, b: FlowStatsEntry) => number {
  const sign = descending ? -1 : 1;
  if (field === null) return (a, b) => sign * (a.priority - b.priority);
  const known = fieldByAnyName(field) ?? fail(`${field}: unknown field name`);
  return (a, b) => {
    const left = MatchFields.of(a.match);
    const right = MatchFields.of(b.match);
    if (left.has(known) !== right.has(known)) return left.has(known) ? -1 : 1;
    if (!left.has(known)) return 0;
    const [x, y] = [left.value(known), right.value(known)];
    return x === y ? 0 : sign * (x < y ? -1 : 1);
  };
}

const dumpFlows: Command = {
  least: 1,
  most: 2,
  usage: 'SWITCH [FLOW]',
  async run(shell, [target, text = '']) {
    const { sort, stats, names: namesWanted } = shell.options;
    const keys = sort.map(compareBy);
    const session = await shell.open(target);
    await learnTunnelOptions(session);
    const filter = await filterOf(shell, session, text);
    const names = await shell.namesToShow(session);
    if (keys.length === 0 && stats && namesWanted !== true && names === NO_NAMES) {
      await dump(shell, session, { kind: 'flowStatsRequest', filter, ...nicira(shell, session) });
      return undefined;
    }
    const flows = await flowsOf(shell, session, filter);
    flows.sort((a, b) => keys.reduce((order, compare) => order || compare(a, b), 0));
    const options = optionsFor(session, names).names;
    const ages = session.version === 6;
    for (const flow of flows) shell.print(`${flowStatsText(flow, options, { stats, ages })}\n`);
    return undefined;
  },
};

const dumpAggregate: Command = {
  least: 1,
  most: 2,
  usage: 'SWITCH [FLOW]',
  async run(shell, [target, text = '']) {
    const session = await shell.open(target);
    const filter = await filterOf(shell, session, text);
    await dump(shell, session, { kind: 'aggregateRequest', filter, ...nicira(shell, session) });
    return undefined;
  },
};

export const flowCommands: CommandTable = {
  'dump-flows': dumpFlows,
  'dump-aggregate': dumpAggregate,
  'add-flow': flowCommand('add', false),
  'add-flows': flowCommand('add', true),
  'mod-flows': flowCommand('modify', false),
  'del-flows': flowCommand('delete', false),
};
