/** The switch, its ports and queues: show, dump-ports, dump-ports-desc, queue-stats, mod-port, get-frags, set-frags. */
import { OF13 } from '../../ofproto/codec/versions.ts';
import type { Command, CommandTable } from './command.ts';
import { ask, dump, modify, number } from './dump.ts';
import { describePorts, NO_NAMES, namedPort } from './names.ts';
import { fail } from './ofctl-error.ts';
import type { Session } from './session.ts';

const show: Command = {
  least: 1,
  most: 1,
  usage: 'SWITCH',
  async run(shell, [target]) {
    const session = await shell.open(target);
    await dump(shell, session, { kind: 'featuresRequest' });
    if (session.version >= OF13) {
      await dump(shell, session, { kind: 'portDescRequest', port: null });
    }
    await dump(shell, session, { kind: 'getConfigRequest' });
    return undefined;
  },
};

const dumpPorts: Command = {
  least: 1,
  most: 2,
  usage: 'SWITCH [PORT]',
  async run(shell, [target, text]) {
    const session = await shell.open(target);
    const accepted = text === undefined ? NO_NAMES : await shell.namesToAccept(session);
    const port = text === undefined ? null : namedPort(text, accepted, target);
    const names = await shell.namesToShow(session);
    await dump(shell, session, { kind: 'portStatsRequest', port }, names);
    return undefined;
  },
};

const dumpPortsDesc: Command = {
  least: 1,
  most: 2,
  usage: 'SWITCH [PORT]',
  async run(shell, [target, text]) {
    const session = await shell.open(target);
    const names = text === undefined ? NO_NAMES : await shell.namesToAccept(session);
    const port = text === undefined || text === 'ANY' ? null : namedPort(text, names, target);
    await dump(shell, session, { kind: 'portDescRequest', port });
    return undefined;
  },
};

const isAll = (text: string | undefined): boolean =>
  text === undefined || /^(all|any)$/i.test(text);

const queueStats: Command = {
  least: 1,
  most: 3,
  usage: 'SWITCH [PORT [QUEUE]]',
  async run(shell, [target, portText, queueText]) {
    const session = await shell.open(target);
    const accepted = isAll(portText) ? NO_NAMES : await shell.namesToAccept(session);
    const port = isAll(portText) ? null : namedPort(portText, accepted, target);
    const queue = isAll(queueText) ? null : number(queueText, 'queue');
    const names = await shell.namesToShow(session);
    await dump(shell, session, { kind: 'queueStatsRequest', port, queue }, names);
    return undefined;
  },
};

/** OFPPC_* bit, and whether the word sets it. */
const PORT_SETTINGS: Readonly<Record<string, readonly [bit: number, set: boolean]>> = {
  up: [0x01, false],
  down: [0x01, true],
  stp: [0x02, false],
  'no-stp': [0x02, true],
  receive: [0x04, false],
  'no-receive': [0x04, true],
  'receive-stp': [0x08, false],
  'no-receive-stp': [0x08, true],
  flood: [0x10, false],
  'no-flood': [0x10, true],
  forward: [0x20, false],
  'no-forward': [0x20, true],
  'packet-in': [0x40, false],
  'no-packet-in': [0x40, true],
};

const modPort: Command = {
  least: 3,
  most: 3,
  usage: 'SWITCH PORT ACTION',
  async run(shell, [target, name, action]) {
    const session = await shell.open(target);
    const ports = await describePorts(session);
    const one =
      ports.find((port) => port.name === name || String(port.port) === name) ??
      fail(`${target}: couldn't find port \`${name}'`);
    const [mask, set] = PORT_SETTINGS[action] ?? fail(`unknown mod-port command '${action}'`);
    const { port, hwAddr } = one;
    const config = set ? mask : 0;
    await modify(shell, session, [
      () => session.send({ kind: 'portMod', port, hwAddr, config, mask, advertise: 0 }),
    ]);
    return undefined;
  },
};

const FRAGMENTS = {
  normal: 'normal',
  drop: 'drop',
  reassemble: 'reassemble',
  'nx-match': 'nxMatch',
} as const;
type FragmentMode = keyof typeof FRAGMENTS;

const isMode = (text: string): text is FragmentMode => Object.hasOwn(FRAGMENTS, text);

export async function configOf(shell: Parameters<typeof ask>[0], session: Session) {
  const [reply] = await ask(shell, session, { kind: 'getConfigRequest' });
  return reply.kind === 'getConfigReply' ? reply : fail('the switch told no configuration');
}

const getFrags: Command = {
  least: 1,
  most: 1,
  usage: 'SWITCH',
  async run(shell, [target]) {
    const { fragments } = await configOf(shell, await shell.open(target));
    const modes = Object.keys(FRAGMENTS).filter(isMode);
    shell.print(`${modes.find((mode) => FRAGMENTS[mode] === fragments)}\n`);
    return undefined;
  },
};

const setFrags: Command = {
  least: 2,
  most: 2,
  usage: 'SWITCH MODE',
  async run(shell, [target, mode]) {
    if (!isMode(mode)) return fail(`${mode}: unknown fragment handling mode`);
    const session = await shell.open(target);
    const { fragments, invalidTtlToController, missSendLength } = await configOf(shell, session);
    const wanted = FRAGMENTS[mode];
    if (fragments === wanted) return undefined;
    await modify(shell, session, [
      () =>
        session.send({
          kind: 'setConfig',
          fragments: wanted,
          invalidTtlToController,
          missSendLength,
        }),
    ]);
    const now = await configOf(shell, session);
    if (now.fragments === wanted) return undefined;
    return fail(
      `${target}: setting fragment handling mode failed (this switch probably doesn't support mode "${mode}")`,
    );
  },
};

export const switchCommands: CommandTable = {
  show,
  'dump-ports': dumpPorts,
  'dump-ports-desc': dumpPortsDesc,
  'queue-stats': queueStats,
  'mod-port': modPort,
  'get-frags': getFrags,
  'set-frags': setFrags,
};
