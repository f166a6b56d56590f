/** Meters, of OpenFlow 1.3 and later: add-meter, mod-meter, del-meter, dump-meters, meter-stats, meter-features. */
import { OF13, OF14, OF15 } from '../../ofproto/codec/versions.ts';
import type { MeterBand, MeterMod } from '../../ofproto/model.ts';
import { OFPM_ALL, OFPM_CONTROLLER, OFPM_SLOWPATH } from '../../ofproto/model.ts';
import { formatsOf } from '../../ofproto/text/flow-protocols.ts';
import { fault, parsed, smallNumber, words } from '../../ofproto/text/syntax.ts';
import type { Command, CommandTable, Shell } from './command.ts';
import { dump, modify } from './dump.ts';
import { demandFormat } from './flow-commands.ts';
import { fail } from './ofctl-error.ts';
import type { Session } from './session.ts';

const WITH_METERS = formatsOf(OF13) | formatsOf(OF14) | formatsOf(OF15);

const METERS: Readonly<Record<string, number>> = {
  all: OFPM_ALL,
  controller: OFPM_CONTROLLER,
  slowpath: OFPM_SLOWPATH,
};

const LAST_METER = 0xffff_0000;

function meterId(text: string): number {
  const id = METERS[text] ?? smallNumber(text, 'meter_id', 32);
  const isReserved = Object.values(METERS).includes(id);
  return isReserved || (id > 0 && id <= LAST_METER) ? id : fault('invalid value for meter');
}

function bandsOf(text: string, isBurst: boolean): MeterBand[] {
  const bands: { -readonly [K in keyof MeterBand]: MeterBand[K] }[] = [];
  for (const { key, value } of words(text)) {
    const given = value ?? '';
    if (key === 'type') {
      if (given !== 'drop' && given !== 'dscp_remark') fault(`field type unknown value ${given}`);
      const type = given === 'drop' ? 'drop' : 'dscpRemark';
      bands.push({ type, rate: 0, burst: 0, precLevel: 0 });
      continue;
    }
    const band = bands.at(-1) ?? fault("band must start with the 'type' keyword");
    if (key === 'rate') band.rate = smallNumber(given, key, 32);
    else if (key === 'burst_size' && !isBurst) {
      fault("band may have 'burst_size' only when 'burst' flag is set");
    } else if (key === 'burst_size') band.burst = smallNumber(given, key, 32);
    else if (key === 'prec_level' && band.type === 'dscpRemark')
      band.precLevel = smallNumber(given, key, 8);
    else fault(`unknown keyword ${key}`);
  }
  for (const { rate, burst } of bands) {
    if (rate === 0) fault("band must have 'rate'");
    if (isBurst && burst === 0) fault("band must have 'burst_size' when 'burst' flag is set");
  }
  return bands;
}

function readMeter(text: string, command: MeterMod['command']): MeterMod {
  const [head, bandText] = text.split(/(?:^|[,\s]+)bands?\s*=/, 2);
  if (command !== 'delete' && bandText === undefined) fault('must specify bands');
  const flags = { kbps: false, pktps: false, burst: false, stats: false };
  let id: number | null = null;
  for (const { key, value } of words(head)) {
    if (key === 'meter') id = meterId(value ?? '');
    else if (Object.hasOwn(flags, key)) flags[key as keyof typeof flags] = true;
    else fault(value === null ? `field ${key} missing value` : `unknown keyword ${key}`);
  }
  const bands = bandText === undefined ? [] : bandsOf(bandText, flags.burst);
  if (command !== 'delete' && !flags.kbps && !flags.pktps) {
    fault("meter must specify either 'kbps' or 'pktps'");
  }
  return { command, meterId: id ?? fault("must specify 'meter'"), flags, bands };
}

function parseMeter(text: string, command: MeterMod['command']): MeterMod {
  const got = parsed(() => readMeter(text, command));
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
    const meterMod = parseMeter(text, command);
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
    const { meterId: id } = parseMeter(text, 'delete');
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
