/** Which options of Geneve are which fields tun_metadata: add-tlv-map, del-tlv-map, dump-tlv-map (ovs-ofctl(8), "OpenFlow Switch Tunnel TLV Table Commands"). */
import type { MessageOf } from '../../ofproto/codec/messages.ts';
import type { Command, CommandTable } from './command.ts';
import { dump, modify } from './dump.ts';
import { fail } from './ofctl-error.ts';

type Map = MessageOf<'tlvTableReply'>['maps'][number];

const NUMBER = '(0x[0-9a-fA-F]+|\\d+)';
const MAP = new RegExp(`^\\{class=${NUMBER},type=${NUMBER},len=${NUMBER}\\}->tun_metadata(\\d+)$`);
const LIMITS = [0xffff, 0xff, 0xff, 0xffff];

/** Commas stand in braces, too. */
function mapsOf(text: string): Map[] {
  return text.split(/,(?=\{|$)/).map((one) => {
    const found = MAP.exec(one.trim()) ?? fail('invalid tlv mapping');
    const numbers = found.slice(1).map(Number);
    if (numbers.some((n, i) => n > LIMITS[i])) fail('invalid tlv mapping');
    const [optionClass, optionType, optionLength, index] = numbers;
    return { optionClass, optionType, optionLength, index };
  });
}

const change = (command: 'add' | 'delete', least: number): Command => ({
  least,
  most: 2,
  usage: command === 'add' ? 'SWITCH MAP' : 'SWITCH [MAP]',
  async run(shell, [target, text]) {
    const maps = text === undefined ? [] : mapsOf(text);
    const session = await shell.open(target);
    const what = text === undefined ? 'clear' : command;
    await modify(shell, session, [
      () => session.send({ kind: 'tlvTableMod', command: what, maps }),
    ]);
    return undefined;
  },
});

const dumpMap: Command = {
  least: 1,
  most: 1,
  usage: 'SWITCH',
  async run(shell, [target]) {
    await dump(shell, await shell.open(target), { kind: 'tlvTableRequest' });
    return undefined;
  },
};

export const tlvCommands: CommandTable = {
  'add-tlv-map': change('add', 2),
  'del-tlv-map': change('delete', 1),
  'dump-tlv-map': dumpMap,
};
