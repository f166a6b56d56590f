/** Groups: add-group, add-groups, mod-group, del-groups, insert-buckets, remove-buckets, dump-groups, dump-group-stats. */
import type { Message } from '../../ofproto/codec/messages.ts';
import type { GroupMod } from '../../ofproto/model.ts';
import { executeBundle } from './bundle.ts';
import type { Command, CommandTable } from './command.ts';
import { dump, modify, number } from './dump.ts';
import { demandFormat, meaningful } from './flow-commands.ts';
import { parseGroup, usableForGroup } from './group-syntax.ts';
import type { PortNames } from './names.ts';
import { fail } from './ofctl-error.ts';
import type { Session } from './session.ts';

const COMMANDS: Readonly<Record<string, GroupMod['command']>> = {
  add: 'add',
  modify: 'modify',
  add_or_mod: 'addOrModify',
  delete: 'delete',
  insert_bucket: 'insertBucket',
  remove_bucket: 'removeBucket',
};

const LINE = /^(add|modify|add_or_mod|delete|insert_bucket|remove_bucket)(?:\s+(.*))?$/s;

/** A group modification; in files a command may stand in front. */
export function groupOfLine(
  line: string,
  command: GroupMod['command'],
  session: Session,
  names: PortNames,
  where: string,
): GroupMod {
  const found = command === 'add' ? LINE.exec(line) : null;
  const kind = found === null ? command : COMMANDS[found[1]];
  const got = parseGroup(found === null ? line : (found[2] ?? ''), kind, session.version, names);
  return got.ok ? got.value : fail(`${where}${got.error}`);
}

const groupCommand = (command: GroupMod['command'], file: boolean): Command => ({
  least: 1,
  most: 2,
  usage: command === 'delete' ? 'SWITCH [GROUP]' : `SWITCH ${file ? 'FILE' : 'GROUP'}`,
  async run(shell, [target, text = '']) {
    const kind = command === 'modify' && shell.options.mayCreate ? 'addOrModify' : command;
    const isFile = file || text === '-';
    const lines = isFile ? meaningful(shell.readLines(text)) : [{ text, number: 1 }];
    const session = await shell.open(target);
    const names = await shell.namesToAccept(session);
    const messages: Message[] = lines.map((line) => {
      const where = isFile ? `${text === '-' ? '<stdin>' : text}:${line.number}: ` : '';
      const groupMod = groupOfLine(line.text, kind, session, names, where);
      demandFormat(shell, usableForGroup(groupMod));
      return { kind: 'groupMod', groupMod };
    });
    if (shell.options.bundle) {
      return executeBundle(
        shell,
        session,
        messages.map((message) => ({ message })),
      );
    }
    await modify(
      shell,
      session,
      messages.map((message) => () => session.send(message)),
    );
    return undefined;
  },
});

const groupIdOf = (text: string | undefined): number | null => {
  const id = text?.replace(/^group_id=/, '');
  return id === undefined || /^(all|any)$/i.test(id) ? null : number(id, 'group id');
};

/** Statistics are asked for as a group is described, and groups by their number. */
const statsIdOf = (text: string | undefined): number | null => {
  const word = text?.split(/[:=]/)[0];
  if (word !== undefined && word !== 'group_id') fail(`unknown keyword ${word}`);
  return groupIdOf(text);
};

const groupDump = (kind: 'groupDescRequest' | 'groupStatsRequest'): Command => ({
  least: 1,
  most: 2,
  usage: 'SWITCH [GROUP]',
  async run(shell, [target, text]) {
    const groupId = kind === 'groupStatsRequest' ? statsIdOf(text) : groupIdOf(text);
    const session = await shell.open(target);
    const names = await shell.namesToShow(session);
    await dump(shell, session, { kind, groupId }, names);
    return undefined;
  },
});

export const groupCommands: CommandTable = {
  'add-group': groupCommand('add', false),
  'add-groups': groupCommand('add', true),
  'mod-group': groupCommand('modify', false),
  'del-groups': groupCommand('delete', false),
  'insert-buckets': groupCommand('insertBucket', false),
  'remove-buckets': groupCommand('removeBucket', false),
  'dump-groups': groupDump('groupDescRequest'),
  'dump-group-stats': groupDump('groupStatsRequest'),
};
