/** `dpctl/*` commands that write megaflows by hand, past the tables: for tests and for finding faults. */
import { readFileSync } from 'node:fs';
import { parseProgram } from '../../datapath/program-parse.ts';
import { formatProgram } from '../../datapath/program-text.ts';
import type { Switch } from '../../ofproto/switch.ts';
import type { Ukey } from '../../ofproto/ukey.ts';
import type { Translation } from '../../ofproto/xlate/translate.ts';
import { parseFlow } from '../../packet/flow-parse.ts';
import {
  DP_WORDS,
  ETH_TYPE_PROTO,
  FLOW_WORDS,
  IN_PORT,
  RECIRC_ID,
  VLAN0,
} from '../../packet/key.ts';
import type { Logger } from '../../util/logger.ts';
import { type Command, CommandError } from '../command.ts';
import { type DatapathView, datapathViews, dumpOptions, ukeysOf, ukeyText } from './dpif-view.ts';

const MANY = Number.POSITIVE_INFINITY;
/** A file of flows that is longer is not read. */
const MAX_FLOWS_IN_FILE = 200_000;

type Kind = 'add' | 'modify' | 'delete';

interface Put {
  readonly mayCreate: boolean;
  readonly mayModify: boolean;
  readonly clears: boolean;
  readonly withStats: boolean;
}

/** A flow for no port in particular; why is in the log, as in the original. */
class NoInPort extends CommandError {}
const NO_IN_PORT_TEXT = 'failed to put[create] flow: in_port is not an exact match';

const failed = (what: string): CommandError => new CommandError(`ovs-vswitchd: ${what}`);

export function dpctlFlowCommands(switches: () => readonly Switch[], log: Logger): Command[] {
  /** The datapath that the first of more than `rest` arguments names, or the only one. */
  const open = (args: readonly string[], rest: number): DatapathView => {
    const views = datapathViews(switches());
    if (args.length <= rest) {
      if (views.length > 1) throw failed('multiple datapaths, specify one (Invalid argument)');
      if (views.length === 0) throw failed('no datapaths exist (No such file or directory)');
      return views[0];
    }
    const full = args[0].includes('@') ? args[0] : `system@${args[0]}`;
    const view = views.find(({ name }) => name === full || name === args[0]);
    if (view === undefined) throw failed('datapath not found (Invalid argument)');
    return view;
  };
  const put = (kind: 'add' | 'modify', args: string[]): string => {
    const { flags, rest } = split(args);
    if (rest.length < 2)
      throw new CommandError(tooFew(`dpctl/${kind === 'add' ? 'add' : 'mod'}-flow`, 2));
    const how = {
      mayCreate: kind === 'add' || flags.has('--may-create'),
      mayModify: kind === 'modify',
      clears: flags.has('--clear'),
      withStats: flags.has('-s') || flags.has('--statistics'),
    };
    try {
      return putFlow(open(rest, 2), rest[rest.length - 2], rest[rest.length - 1], how);
    } catch (failure) {
      if (failure instanceof NoInPort) log.err(NO_IN_PORT_TEXT);
      throw failure;
    }
  };
  const file = (kind: Kind, args: string[]): string => {
    const { rest } = split(args);
    const view = open(rest, 1);
    for (const line of linesOf(rest[rest.length - 1])) runLine(view, kind, line);
    return '';
  };
  return [
    {
      name: 'dpctl/add-flow',
      usage: '[dp] flow actions',
      minArgs: 2,
      maxArgs: MANY,
      run: (args) => put('add', args),
    },
    {
      name: 'dpctl/mod-flow',
      usage: '[dp] flow actions',
      minArgs: 2,
      maxArgs: MANY,
      run: (args) => put('modify', args),
    },
    {
      name: 'dpctl/add-flows',
      usage: '[dp] file',
      minArgs: 1,
      maxArgs: 2,
      run: (args) => file('add', args),
    },
    {
      name: 'dpctl/mod-flows',
      usage: '[dp] file',
      minArgs: 1,
      maxArgs: 2,
      run: (args) => file('modify', args),
    },
    {
      name: 'dpctl/get-flow',
      usage: '[dp] ufid',
      minArgs: 1,
      maxArgs: MANY,
      run: (args) => {
        const { rest, ...options } = dumpOptions(args);
        const view = open(rest, 1);
        const { ufid } = splitUfid(rest[rest.length - 1]);
        if (ufid === null) throw failed('parsing flow ufid (Invalid argument)');
        const ukey = find(view, (u) => u.ufid === ufid);
        if (ukey === null) throw failed('getting flow (No such file or directory)');
        return `${ukeyText(view, ukey, options, 'dpctl')}\n`;
      },
    },
    {
      name: 'dpctl/del-flow',
      usage: '[dp] flow',
      minArgs: 1,
      maxArgs: MANY,
      run: (args) => {
        const { rest, flags } = split(args);
        const withStats = flags.has('-s') || flags.has('--statistics');
        return deleteFlow(open(rest, 1), rest[rest.length - 1], withStats);
      },
    },
    {
      name: 'dpctl/del-flows',
      usage: '[dp] [file]',
      minArgs: 0,
      maxArgs: 2,
      run: (args) => {
        const { rest } = split(args);
        const isName = (arg: string): boolean =>
          datapathViews(switches()).some(({ name }) => name === arg || name === `system@${arg}`);
        if (rest.length > 1 || (rest.length === 1 && !isName(rest[0]))) return file('delete', rest);
        const view = open(rest, 0);
        const now = view.switch.clock.now();
        for (const ukey of ukeysOf(view, view.bridges)) view.switch.cache.remove(ukey, now);
        return '';
      },
    },
    {
      name: 'dpctl/parse-actions',
      usage: 'actions',
      minArgs: 1,
      maxArgs: MANY,
      run: (args) => {
        let out = '';
        for (const text of split(args).rest) {
          const parsed = parseProgram(text);
          if (!parsed.ok) {
            throw new CommandError(
              `${out}ovs-vswitchd: odp_actions_from_string (Invalid argument)`,
            );
          }
          out += `${formatProgram(parsed.program, new Uint32Array(DP_WORDS))}\n`;
        }
        return out;
      },
    },
  ];
}

const tooFew = (name: string, count: number): string =>
  `"${name}" command requires at least ${count} arguments`;

function split(args: readonly string[]): { flags: Set<string>; rest: string[] } {
  const isFlag = (arg: string): boolean => /^-(-[a-z]|[a-z]$)/.test(arg);
  return { flags: new Set(args.filter(isFlag)), rest: args.filter((arg) => !isFlag(arg)) };
}

/** `ufid:01234567-...` in front of a flow. */
function splitUfid(text: string): { ufid: string | null; rest: string } {
  if (!text.startsWith('ufid:')) return { ufid: null, rest: text };
  const found = /^ufid:([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})[\s,]*/.exec(text);
  if (found === null) throw failed('parsing flow ufid (Invalid argument)');
  return { ufid: found[1].toLowerCase(), rest: text.slice(found[0].length) };
}

function find(view: DatapathView, is: (ukey: Ukey) => boolean): Ukey | null {
  for (const ukey of view.switch.cache.all()) if (is(ukey)) return ukey;
  return null;
}

function keyOfFlow(view: DatapathView, text: string, prefix: string) {
  const ports = new Map<string, number>();
  for (const bridge of view.bridges) {
    for (const port of bridge.ports()) if (port.portNo !== null) ports.set(port.name, port.portNo);
  }
  const parsed = parseFlow(text, { portNumber: (name) => ports.get(name) });
  if (!parsed.ok) throw failed(`${prefix}(${parsed.error}) (Invalid argument)`);
  if (parsed.mask[IN_PORT] !== 0xffffffff)
    throw new NoInPort('ovs-vswitchd: updating flow table (Invalid argument)');
  const key = new Uint32Array(FLOW_WORDS);
  key.set(parsed.key);
  const mask = new Uint32Array(FLOW_WORDS);
  mask.set(parsed.mask);
  for (const word of [IN_PORT, RECIRC_ID]) mask[word] = 0xffffffff;
  mask[ETH_TYPE_PROTO] = (mask[ETH_TYPE_PROTO] | 0xffff0000) >>> 0;
  // Without vlan() the frame has no tag.
  if (mask[VLAN0] === 0) mask[VLAN0] = 0xffffffff;
  return { key, mask: view.switch.cache.maskOf(mask) };
}

function putFlow(view: DatapathView, text: string, actions: string, how: Put): string {
  const { ufid, rest } = splitUfid(text);
  const { key, mask } = keyOfFlow(view, rest, 'parsing flow key ');
  const parsed = parseProgram(actions);
  if (!parsed.ok) throw failed('parsing actions (Invalid argument)');
  const { cache, clock, revalidator } = view.switch;
  const now = clock.now();
  const translation: Translation = {
    program: parsed.program,
    slow: 0,
    slowMeter: null,
    mask: new Uint32Array(FLOW_WORDS),
    tagBits: 0,
    effects: [],
    recircIds: [],
    dropReason: null,
  };
  let ukey = cache.find(mask, key);
  if (ukey !== null && !how.mayModify) throw failed('updating flow table (File exists)');
  if (ukey === null && !how.mayCreate) {
    throw failed('updating flow table (No such file or directory)');
  }
  if (ukey !== null && how.clears) {
    cache.remove(ukey, now);
    ukey = null;
  }
  if (ukey === null) {
    ukey = cache.install(mask, translation, key, now, revalidator.generation, ufid ?? undefined);
    if (ukey === null) throw failed('updating flow table (No space left on device)');
  } else cache.update(ukey, translation, revalidator.generation, now);
  return how.withStats ? `${statsText(view, ukey)}\n` : '';
}

function deleteFlow(view: DatapathView, text: string, withStats: boolean): string {
  const { ufid, rest } = splitUfid(text);
  let ukey: Ukey | null;
  if (ufid !== null) ukey = find(view, (u) => u.ufid === ufid);
  else {
    const { key, mask } = keyOfFlow(view, rest, '');
    ukey = view.switch.cache.find(mask, key);
  }
  if (ukey === null) {
    const hint = ufid === null ? '\nPerhaps you need to specify a UFID?' : '';
    throw failed(`deleting flow (No such file or directory)${hint}`);
  }
  const stats = withStats ? `${statsText(view, ukey)}\n` : '';
  view.switch.cache.remove(ukey, view.switch.clock.now());
  return stats;
}

function statsText(view: DatapathView, ukey: Ukey): string {
  const { packets, bytes, usedMs } = view.switch.cache.stats(ukey);
  const seconds = Math.max(0, view.switch.clock.now() - usedMs) / 1000;
  const used = packets > 0 ? `${seconds.toFixed(3)}s` : 'never';
  return `packets:${packets}, bytes:${bytes}, used:${used}`;
}

function linesOf(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    throw failed(`${path}: open failed (No such file or directory)`);
  }
  const lines = text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '');
  if (lines.length > MAX_FLOWS_IN_FILE) throw failed(`${path}: too long (File too large)`);
  return lines;
}

/** `[add|modify|delete] flow [actions]` */
function runLine(view: DatapathView, kind: Kind, line: string): void {
  const found = /^(?:(add|modify|delete)[\s,]+)?(\S+)(?:\s+(.*))?$/.exec(line);
  if (found === null) return;
  const command = (found[1] ?? kind) as Kind;
  const actions: string | undefined = found[3];
  if (command === 'delete') {
    deleteFlow(view, found[2], false);
    return;
  }
  if (actions === undefined) throw failed(`${line}: no actions (Invalid argument)`);
  const mayModify = command === 'modify';
  const how = { mayCreate: !mayModify, mayModify, clears: false, withStats: false };
  putFlow(view, found[2], actions, how);
}
