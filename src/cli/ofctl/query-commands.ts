/** Questions that need no syntax: dump-desc, dump-group-features, queue-get-config, IPFIX statistics, probe. */

import type { Message } from '../../ofproto/codec/messages.ts';
import { OF10, OF14 } from '../../ofproto/codec/versions.ts';
import type { Command, CommandTable } from './command.ts';
import { dump } from './dump.ts';
import { describePorts, namedPort } from './names.ts';

const ask = (request: Message): Command => ({
  least: 1,
  most: 1,
  usage: 'SWITCH',
  async run(shell, [target]) {
    await dump(shell, await shell.open(target), request);
    return undefined;
  },
});

const LAST_PORT = 0xff00;
const isAny = (text: string | undefined): boolean => text === undefined || /^any$/i.test(text);

const queueGetConfig: Command = {
  least: 1,
  most: 3,
  usage: 'SWITCH [PORT [QUEUE]]',
  async run(shell, [target, portText, queueText]) {
    const session = await shell.open(target);
    const names = await shell.namesToAccept(session);
    const port = isAny(portText) ? null : namedPort(portText, names, target);
    const queue = isAny(queueText) ? null : Number(queueText);
    if (session.version >= OF14) {
      await dump(shell, session, { kind: 'queueDescRequest', port, queue });
    } else if (session.version > OF10 || port !== null) {
      await dump(shell, session, { kind: 'queueConfigRequest', port });
    } else {
      // Version 1.0 cannot ask for all ports.
      for (const one of await describePorts(session)) {
        if (one.port >= LAST_PORT) continue;
        await dump(shell, session, { kind: 'queueConfigRequest', port: one.port });
      }
    }
    return undefined;
  },
};

const probe: Command = {
  least: 1,
  most: 1,
  usage: 'TARGET',
  async run(shell, [target]) {
    const session = await shell.open(target);
    await session.request({ kind: 'echoRequest', data: new Uint8Array(0) });
    return undefined;
  },
};

export const queryCommands: CommandTable = {
  'dump-desc': ask({ kind: 'descRequest' }),
  'dump-group-features': ask({ kind: 'groupFeaturesRequest' }),
  'dump-ipfix-bridge': ask({ kind: 'ipfixBridgeRequest' }),
  'dump-ipfix-flow': ask({ kind: 'ipfixFlowRequest' }),
  'queue-get-config': queueGetConfig,
  probe,
};
