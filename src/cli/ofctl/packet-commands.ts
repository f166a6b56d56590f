/** packet-out, and bundle, which mixes flows, groups and packets in one transaction. */
import { LAST_OF_PORT, type OfPort, ofPort } from '../../flowtable/of-port.ts';
import { MatchFields } from '../../ofproto/codec/match-fields.ts';
import { OF14 } from '../../ofproto/codec/versions.ts';
import { NO_BUFFER, type PacketOut } from '../../ofproto/model.ts';
import { parseListOfActions } from '../../ofproto/text/actions-syntax.ts';
import { formatsOfActions } from '../../ofproto/text/flow-protocols.ts';
import { addMatchWord } from '../../ofproto/text/match-syntax.ts';
import { fault, parsed, portOf, words } from '../../ofproto/text/syntax.ts';
import { OF_IN_PORT } from '../../packet/key.ts';
import { type Bundled, executeBundle } from './bundle.ts';
import type { Command, CommandTable, Shell } from './command.ts';
import { modify } from './dump.ts';
import {
  demandFormat,
  flowMessage,
  flowOfLine,
  formatsOfFlow,
  meaningful,
  normalized,
} from './flow-commands.ts';
import { groupOfLine } from './group-commands.ts';
import { namedPort, type PortNames } from './names.ts';
import { fail } from './ofctl-error.ts';
import type { Session } from './session.ts';

const CONTROLLER = ofPort(0xfffd);
/** The controller, none, and the switch itself. */
const ENTRIES: ReadonlySet<number> = new Set([0xfffd, 0xffff, 0xfffe]);
const ETHERNET_BYTES = 14;

function frameOf(text: string): Uint8Array {
  const digits = text.replaceAll(/[\s:]/g, '');
  if (!/^([0-9a-f]{2})*$/i.test(digits)) fault('Trailing garbage in packet data');
  if (digits.length < 2 * ETHERNET_BYTES) fault('Packet data too short for Ethernet');
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** Where a packet can come from. */
function entryPort(text: string, names: PortNames): OfPort {
  const port = portOf(text, names) ?? fault(`${text} is not a valid OpenFlow port`);
  if (port <= LAST_OF_PORT || ENTRIES.has(port)) return port;
  return fault(`${text} is not a valid OpenFlow port for PACKET_OUT`);
}

function readPacketOut(text: string, names: PortNames): PacketOut {
  const at = /(?:^|[\s,])actions?\s*=/.exec(text);
  const match = new MatchFields();
  let inPort = CONTROLLER;
  let data: Uint8Array | null = null;
  for (const { key, value } of words(at === null ? text : text.slice(0, at.index))) {
    if (value === null) fault(`field ${key} missing value`);
    if (key === 'in_port') inPort = entryPort(value, names);
    else if (key === 'packet') {
      const frame = parsed(() => frameOf(value));
      data = frame.ok ? frame.value : fault(`packet: ${frame.error}`);
    } else if (!addMatchWord(match, key, value, names)) fault(`unknown keyword ${key}`);
  }
  match.setWord(OF_IN_PORT, inPort, 0xffffffff);
  // Without actions the packet is dropped.
  const actions = at === null ? [] : parseListOfActions(text.slice(at.index + at[0].length), names);
  return {
    bufferId: NO_BUFFER,
    match: match.build(),
    inPort,
    actions,
    data: data ?? fault('must specify packet'),
  };
}

function parsePacketOut(text: string, names: PortNames, where = ''): PacketOut {
  const got = parsed(() => readPacketOut(text, names));
  return got.ok ? got.value : fail(`${where}${got.error}`);
}

const packetOut: Command = {
  least: 2,
  most: Number.POSITIVE_INFINITY,
  usage: 'SWITCH "in_port=PORT packet=HEX actions=ACTIONS", or SWITCH PORT ACTIONS PACKET...',
  async run(shell, [target, ...rest]) {
    const session = await shell.open(target);
    const names = await shell.namesToAccept(session);
    const [first, actions, ...packets] = rest;
    if (rest.length > 1) namedPort(first, names, target);
    const outs =
      rest.length === 1
        ? [parsePacketOut(first, names)]
        : packets.map((packet) => {
            const frame = parsed(() => frameOf(packet));
            if (!frame.ok) fail(frame.error);
            return parsePacketOut(`in_port=${first},packet=${packet},actions=${actions}`, names);
          });
    for (const out of outs) demandFormat(shell, formatsOfActions(out.actions));
    await modify(
      shell,
      session,
      outs.map((one) => () => session.send({ kind: 'packetOut', packetOut: one })),
    );
    return undefined;
  },
};

function bundledOf(
  shell: Shell,
  line: string,
  session: Session,
  names: PortNames,
  where: string,
): Bundled {
  const found = /^(flow|group|packet-out)\s+(.*)$/s.exec(line);
  if (found === null)
    return fail(`${where}Unsupported bundle message type: ${line.split(/\s/)[0]}`);
  const [, kind, text] = found;
  if (kind === 'flow') {
    const mod = flowOfLine(text, session, names, where);
    demandFormat(shell, formatsOfFlow(mod, where));
    return flowMessage(session, normalized(shell, mod));
  }
  if (kind === 'group') {
    return {
      message: { kind: 'groupMod', groupMod: groupOfLine(text, 'add', session, names, where) },
    };
  }
  return { message: { kind: 'packetOut', packetOut: parsePacketOut(text, names, where) } };
}

const bundle: Command = {
  least: 2,
  most: 2,
  usage: 'SWITCH FILE',
  async run(shell, [target, file]) {
    const lines = meaningful(shell.readLines(file));
    const session = await shell.open(target, OF14);
    const names = await shell.namesToAccept(session);
    const messages = lines.map(({ text, number }) =>
      bundledOf(shell, text, session, names, `${file === '-' ? '<stdin>' : file}:${number}: `),
    );
    return executeBundle(shell, session, messages);
  },
};

export const packetCommands: CommandTable = { 'packet-out': packetOut, bundle };
