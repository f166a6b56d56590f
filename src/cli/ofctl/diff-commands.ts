/** Flows compared with flows: replace-flows and diff-flows, whose sources are files and switches. */
import { existsSync } from 'node:fs';
import { hashMask, MATCH_ALL, sameMatch } from '../../flowtable/match.ts';
import { OF10 } from '../../ofproto/codec/versions.ts';
import {
  type FlowFilter,
  type FlowMod,
  NO_BUFFER,
  NO_FLAGS,
  OFPTT_ALL,
} from '../../ofproto/model.ts';
import { formatActions } from '../../ofproto/text/actions-text.ts';
import type { Command, CommandTable, Shell } from './command.ts';
import { learnTunnelOptions } from './dump.ts';
import { applyFlows, flowOf, flowsOf, meaningful, normalized, prepare } from './flow-commands.ts';
import { flowVersionText } from './flow-text.ts';
import { NO_NAMES, type PortNames } from './names.ts';
import type { Session } from './session.ts';

type Flow = Pick<
  FlowMod,
  | 'tableId'
  | 'priority'
  | 'match'
  | 'idleTimeoutSeconds'
  | 'hardTimeoutSeconds'
  | 'importance'
  | 'actions'
  | 'flags'
> & { readonly cookie: bigint };

const EVERYTHING: FlowFilter = {
  tableId: OFPTT_ALL,
  match: MATCH_ALL,
  cookie: 0n,
  cookieMask: 0n,
  outPort: null,
  outGroup: null,
};

/** Flows by table, match and priority: what makes two of them the same one. */
class FlowSet {
  readonly list: Flow[] = [];
  private readonly buckets = new Map<string, Flow[]>();

  private bucket(flow: Flow): Flow[] {
    const key = `${flow.tableId} ${flow.priority} ${hashMask(flow.match)}`;
    const found = this.buckets.get(key) ?? [];
    this.buckets.set(key, found);
    return found;
  }

  find(flow: Flow): Flow | undefined {
    return this.bucket(flow).find(({ match }) => sameMatch(match, flow.match));
  }

  /** The later of two equal flows stays. */
  add(flow: Flow): void {
    const old = this.find(flow);
    const bucket = this.bucket(flow);
    if (old !== undefined) {
      bucket.splice(bucket.indexOf(old), 1);
      this.list.splice(this.list.indexOf(old), 1);
    }
    bucket.push(flow);
    this.list.push(flow);
  }
}

const sameVersion = (a: Flow, b: Flow): boolean =>
  a.cookie === b.cookie &&
  a.idleTimeoutSeconds === b.idleTimeoutSeconds &&
  a.hardTimeoutSeconds === b.hardTimeoutSeconds &&
  a.importance === b.importance &&
  formatActions(a.actions) === formatActions(b.actions);

function flowsOfFile(
  shell: Shell,
  file: string,
  session: Session | null,
  names: PortNames,
): FlowSet {
  const set = new FlowSet();
  const scene = session ?? { context: { version: shell.options.versions.at(-1) ?? OF10 } };
  for (const { text, number } of meaningful(
    new TextDecoder().decode(shell.readBytes(file)).split('\n'),
  )) {
    const where = `${file === '-' ? '<stdin>' : file}:${number}: `;
    const mod = normalized(shell, flowOf(text, 'add', scene, names, where));
    set.add({ ...mod, cookie: mod.newCookie ?? 0n });
  }
  return set;
}

async function flowsOfSwitch(shell: Shell, session: Session): Promise<FlowSet> {
  await learnTunnelOptions(session);
  const set = new FlowSet();
  for (const flow of await flowsOf(shell, session, EVERYTHING)) set.add(flow);
  return set;
}

const asMod = (flow: Flow, command: FlowMod['command'], session: Session): FlowMod => ({
  ...flow,
  command,
  newCookie: command === 'add' ? flow.cookie : null,
  cookie: 0n,
  cookieMask: 0n,
  bufferId: NO_BUFFER,
  outPort: null,
  outGroup: null,
  version: session.version,
});

const replaceFlows: Command = {
  least: 2,
  most: 2,
  usage: 'SWITCH FILE',
  async run(shell, [target, file]) {
    const session = await shell.open(target);
    const names = await prepare(shell, session, []);
    const present = await flowsOfSwitch(shell, session);
    const wanted = flowsOfFile(shell, file, session, names);
    const gone = present.list
      .filter((flow) => wanted.find(flow) === undefined)
      .map((flow) => asMod({ ...flow, flags: NO_FLAGS }, 'deleteStrict', session));
    const changed = wanted.list
      .filter((flow) => {
        const old = present.find(flow);
        return shell.options.readd || old === undefined || !sameVersion(old, flow);
      })
      .map((flow) => asMod(flow, 'add', session));
    return applyFlows(shell, session, [...gone, ...changed]);
  },
};

const isFile = (name: string): boolean => {
  if (/^[/.]/.test(name)) return true;
  return !name.includes(':') && existsSync(name);
};

const DIFFERENT = 2;

const diffFlows: Command = {
  least: 2,
  most: 2,
  usage: 'SOURCE1 SOURCE2',
  async run(shell, sources) {
    const sessions = await Promise.all(
      sources.map((source) => (isFile(source) ? null : shell.open(source))),
    );
    const ofSwitch = sessions.find((session) => session !== null) ?? null;
    const names = ofSwitch === null ? NO_NAMES : await shell.namesToAccept(ofSwitch);
    const shown = ofSwitch === null ? NO_NAMES : await shell.namesToShow(ofSwitch);
    const sets: FlowSet[] = [];
    for (const [i, session] of sessions.entries()) {
      sets.push(
        session === null
          ? flowsOfFile(shell, sources[i], ofSwitch, names)
          : await flowsOfSwitch(shell, session),
      );
    }
    const [left, right] = sets;
    const lines = new FlowSet();
    for (const flow of [...left.list, ...right.list]) {
      if (lines.find(flow) === undefined) lines.add(flow);
    }
    let different = false;
    for (const flow of lines.list.toSorted((a, b) => a.tableId - b.tableId)) {
      const [a, b] = [left.find(flow), right.find(flow)];
      if (a !== undefined && b !== undefined && sameVersion(a, b)) continue;
      different = true;
      if (a !== undefined) shell.print(`-${flowVersionText(a, shown)}\n`);
      if (b !== undefined) shell.print(`+${flowVersionText(b, shown)}\n`);
    }
    return different ? DIFFERENT : undefined;
  },
};

export const diffCommands: CommandTable = {
  'replace-flows': replaceFlows,
  'diff-flows': diffFlows,
};
