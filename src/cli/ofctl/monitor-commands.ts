/** monitor and snoop: print whatever comes until the connection or the user ends it. */
import { MATCH_ALL } from '../../flowtable/match.ts';
import { parseFlow } from '../../ofproto/text/flow-syntax.ts';
import type { Command, CommandTable, Shell } from './command.ts';
import { number, optionsFor } from './dump.ts';
import { messageText } from './message-text.ts';
import { fail } from './ofctl-error.ts';
import type { Session } from './session.ts';
import { configOf } from './switch-commands.ts';

const ALL_TABLES = 255;
const FORMATS = {
  standard: 'standard',
  openflow10: 'standard',
  nxt_packet_in: 'nxt',
  nxm: 'nxt',
  nxt_packet_in2: 'nxt2',
} as const;

async function follow(shell: Shell, session: Session): Promise<void> {
  for (;;) {
    const one = await session.next();
    if (one === null) return;
    if (one.decoded.ok && one.decoded.message.kind === 'barrierReply') continue;
    const stamp = shell.options.timestamp ? `${new Date().toISOString()}: ` : '';
    shell.print(`${stamp}${messageText(one.bytes, optionsFor(session, {}))}`);
  }
}

/** `watch:` and its words, among them a flow's match. */
function watch(session: Session, text: string): void {
  const given = text.split(',').filter((word) => word !== '');
  const without = new Set(given.filter((word) => word.startsWith('!')));
  for (const word of without) {
    if (!['!initial', '!add', '!delete', '!modify', '!own', '!actions'].includes(word)) {
      fail(`${word}: unknown keyword`);
    }
  }
  const rest = given.filter((word) => !word.startsWith('!')).join(',');
  const got = parseFlow(rest, 'delete', session.version);
  const flow = got.ok ? got.value : fail(got.error);
  session.send({
    kind: 'flowMonitorRequest',
    entries: [
      {
        monitorId: 0,
        command: 'add',
        flags: {
          initial: !without.has('!initial'),
          add: !without.has('!add'),
          removed: !without.has('!delete'),
          modify: !without.has('!modify'),
          instructions: !without.has('!actions'),
          noAbbreviation: !without.has('!own'),
          onlyOwn: false,
        },
        outPort: flow.outPort,
        outGroup: flow.outGroup,
        tableId: rest === '' ? ALL_TABLES : flow.tableId,
        match: rest === '' ? MATCH_ALL : flow.match,
      },
    ],
  });
}

const monitor: Command = {
  least: 1,
  most: 4,
  usage: 'SWITCH [MISSLEN] [invalid_ttl] [watch:[...]]',
  async run(shell, [target, ...words]) {
    const format = shell.options.packetInFormat ?? 'nxt_packet_in2';
    if (!Object.hasOwn(FORMATS, format)) fail(`unknown packet-in format ${format}`);
    const session = await shell.open(target);
    session.send({
      kind: 'setPacketInFormat',
      packetInFormat: FORMATS[format as keyof typeof FORMATS],
    });
    for (const word of words) {
      if (word.startsWith('watch:')) {
        watch(session, word.slice('watch:'.length));
        continue;
      }
      const { kind: _, ...config } = await configOf(shell, session);
      const change =
        word === 'invalid_ttl'
          ? { invalidTtlToController: true }
          : { missSendLength: number(word, 'miss-len') };
      session.send({ kind: 'setConfig', ...config, ...change });
    }
    await follow(shell, session);
    return undefined;
  },
};

const snoop: Command = {
  least: 1,
  most: 1,
  usage: 'SWITCH',
  async run(shell, [target]) {
    await follow(shell, await shell.snoop(target));
    return undefined;
  },
};

export const monitorCommands: CommandTable = { monitor, snoop };
