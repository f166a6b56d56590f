/** Tables: dump-tables, dump-table-features, dump-table-desc, mod-table. */

import type { TableFeatures } from '../../ofproto/codec/table-features.ts';
import type { TableSettings } from '../../ofproto/codec/table-messages.ts';
import { OF11, OF12, OF13, OF14, OF15, type OfVersion } from '../../ofproto/codec/versions.ts';
import { OFPTT_ALL } from '../../ofproto/model.ts';
import type { Command, CommandTable, Shell } from './command.ts';
import { ask, askParts, dump, modify } from './dump.ts';
import { fail } from './ofctl-error.ts';
import type { Session } from './session.ts';
import { tableFeaturesText } from './table-features-text.ts';

const dumpTables: Command = {
  least: 1,
  most: 1,
  usage: 'SWITCH',
  async run(shell, [target]) {
    await dump(shell, await shell.open(target), { kind: 'tableStatsRequest' });
    return undefined;
  },
};

async function openSince(
  shell: Shell,
  target: string,
  command: string,
  least: OfVersion,
): Promise<Session> {
  const session = await shell.open(target);
  if (session.version >= least) return session;
  return fail(`${command} needs OpenFlow 1.${least - 1} or later ('-O OpenFlow1${least - 1}')`);
}

async function featuresOf(shell: Shell, session: Session): Promise<readonly TableFeatures[]> {
  const parts = await ask(shell, session, { kind: 'tableFeaturesRequest', entries: [] });
  return parts.flatMap((part) => (part.kind === 'tableFeaturesReply' ? part.entries : []));
}

const dumpTableFeatures: Command = {
  least: 1,
  most: 1,
  usage: 'SWITCH',
  async run(shell, [target]) {
    const session = await openSince(shell, target, 'dump-table-features', OF13);
    shell.print(tableFeaturesText(await featuresOf(shell, session), session.version));
    return undefined;
  },
};

const dumpTableDesc: Command = {
  least: 1,
  most: 1,
  usage: 'SWITCH',
  async run(shell, [target]) {
    const session = await openSince(shell, target, 'dump-table-desc', OF14);
    await dump(shell, session, { kind: 'tableDescRequest' });
    return undefined;
  },
};

/** What a setting needs, and what it makes of a table. */
interface Setting {
  readonly versions: readonly OfVersion[];
  readonly change: Partial<TableSettings>;
}

const MISSES: readonly OfVersion[] = [OF11, OF12];
const NAMES: readonly OfVersion[] = [OF13, OF14, OF15];
const EVICTIONS: readonly OfVersion[] = [OF14, OF15];

function percent(text: string | undefined, which: string): number {
  if (text === undefined || text === '') return fail(`Vacancy ${which} value missing`);
  if (!/^\d+$/.test(text) || Number(text) > 100) fail(`Invalid vacancy ${which} value "${text}"`);
  return Number(text);
}

function vacancyOf(text: string): Setting {
  const [low, high] = text.split(',');
  const down = percent(low, 'down');
  const up = percent(high, 'up');
  if (up <= down) {
    fail(
      'Invalid vacancy range, vacancy up should be greater than vacancy down (OFPBPC_BAD_VALUE)',
    );
  }
  const change = { vacancyEvents: true, vacancy: { down, up, current: 0 } };
  return { versions: EVICTIONS, change };
}

const SETTINGS: Readonly<Record<string, Setting>> = {
  controller: { versions: MISSES, change: { miss: 'controller' } },
  continue: { versions: MISSES, change: { miss: 'continue' } },
  drop: { versions: MISSES, change: { miss: 'drop' } },
  evict: { versions: EVICTIONS, change: { eviction: true } },
  noevict: { versions: EVICTIONS, change: { eviction: false } },
  novacancy: { versions: EVICTIONS, change: { vacancyEvents: false, vacancy: null } },
};

const settingOf = (text: string): Setting | null => {
  if (text.startsWith('name:')) return { versions: NAMES, change: {} };
  if (text.startsWith('vacancy:')) return vacancyOf(text.slice('vacancy:'.length));
  return Object.hasOwn(SETTINGS, text) ? SETTINGS[text] : null;
};

/** 1.4 and later replace all settings at once: what is not asked for stays as it is. */
async function settingsNow(
  shell: Shell,
  session: Session,
  tableId: number,
): Promise<Partial<TableSettings>> {
  if (session.version < OF14 || tableId === OFPTT_ALL) return {};
  const parts = await ask(shell, session, { kind: 'tableDescRequest' });
  const all = parts.flatMap((part) => (part.kind === 'tableDescReply' ? part.entries : []));
  return all.find((one) => one.tableId === tableId) ?? {};
}

async function rename(shell: Shell, session: Session, tableId: number, name: string) {
  const wanted = (await featuresOf(shell, session)).map((one) =>
    one.tableId === tableId ? { ...one, name } : one,
  );
  await askParts(shell, session, { kind: 'tableFeaturesRequest', entries: wanted });
}

const modTable: Command = {
  least: 3,
  most: 3,
  usage: 'SWITCH TABLE SETTING',
  async run(shell, [target, table, text]) {
    const setting = settingOf(text) ?? fail(`invalid table_mod setting ${text}`);
    const session = await shell.open(target);
    const { version } = session;
    const names = await shell.namesToAccept(session, [`table=${table}`]);
    const isNumber = /^\d+$/.test(table) && Number(table) <= OFPTT_ALL;
    const tableId = /^all$/i.test(table)
      ? OFPTT_ALL
      : isNumber
        ? Number(table)
        : (names.tableByName(table) ?? fail(`unknown table "${table}"`));
    if (!setting.versions.includes(version)) {
      const list = setting.versions.map((one) => `OpenFlow1${one - 1}`).join(', ');
      fail(`table_mod '${text}' requires one of the OpenFlow versions ${list}`);
    }
    if (text.startsWith('name:')) {
      await rename(shell, session, tableId, text.slice('name:'.length));
      return undefined;
    }
    const now = await settingsNow(shell, session, tableId);
    const settings: TableSettings = {
      miss: null,
      eviction: false,
      vacancyEvents: false,
      vacancy: null,
      ...now,
      evictionFlags: null,
      tableId,
      ...setting.change,
    };
    await modify(shell, session, [() => session.send({ kind: 'tableMod', table: settings })]);
    return undefined;
  },
};

export const tableCommands: CommandTable = {
  'dump-tables': dumpTables,
  'dump-table-features': dumpTableFeatures,
  'dump-table-desc': dumpTableDesc,
  'mod-table': modTable,
};
