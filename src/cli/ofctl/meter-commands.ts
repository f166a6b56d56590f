/** Meters, of OpenFlow 1.3 and later: add-meter, mod-meter, del-meter, dump-meters, meter-stats, meter-features. */
import { OF13, OF14, OF15 } from '../../ofproto/codec/versions.ts';
import type { MeterMod } from '../../ofproto/model.ts';
import { OFPM_ALL } from '../../ofproto/model.ts';
import { formatsOf } from '../../ofproto/text/flow-protocols.ts';
import type { Command, CommandTable, Shell } from './command.ts';
import { dump, modify } from './dump.ts';
import { demandFormat } from './flow-commands.ts';
import { parseMeter } from './meter-syntax.ts';
import { fail } from './ofctl-error.ts';
import type { Session } from './session.ts';

const WITH_METERS = formatsOf(OF13) | formatsOf(OF14) | formatsOf(OF15);

function meterOf(text: string, command: MeterMod['command']): MeterMod {
  const got = parseMeter(text, command);
  return got.ok ? got.value : fail(got.error);
}

function openWithMeters(shell: Shell, target: string): Promise<Session> {
  demandFormat(shell, WITH_METERS);
  return shell.open(target);
}

const meterCommand = (command: MeterMod['command'], optional = false): Command => ({
  least: optional ? 1 : 2,
  most: 2,
  usage: optional ? 'SWITCH [METER]' : 'SWITCH METER',
  async run(shell, [target, text = 'meter=all']) {
    const meterMod = meterOf(text, command);
    const session = await openWithMeters(shell, target);
    await modify(shell, session, [() => session.send({ kind: 'meterMod', meterMod })]);
    return undefined;
  },
});

const meterDump = (kind: 'meterConfigRequest' | 'meterStatsRequest'): Command => ({
  least: 1,
  most: 2,
  usage: 'SWITCH [METER]',
  async run(shell, [target, text = 'meter=all']) {
    const { meterId: id } = meterOf(text, 'delete');
    const session = await openWithMeters(shell, target);
    await dump(shell, session, { kind, meterId: id === OFPM_ALL ? null : id });
    return undefined;
  },
});

const meterFeatures: Command = {
  least: 1,
  most: 1,
  usage: 'SWITCH',
  async run(shell, [target]) {
    const session = await openWithMeters(shell, target);
    await dump(shell, session, { kind: 'meterFeaturesRequest' });
    return undefined;
  },
};

export const meterCommands: CommandTable = {
  'add-meter': meterCommand('add'),
  'mod-meter': meterCommand('modify'),
  'del-meter': meterCommand('delete', true),
  'del-meters': meterCommand('delete', true),
  'dump-meter': meterDump('meterConfigRequest'),
  'dump-meters': meterDump('meterConfigRequest'),
  'meter-stats': meterDump('meterStatsRequest'),
  'meter-features': meterFeatures,
};
