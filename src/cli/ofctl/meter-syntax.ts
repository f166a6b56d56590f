/** Meters as ovs-ofctl(8), "Meter Syntax", writes them: `meter=1 pktps burst bands=type=drop rate=10 burst_size=5`. */
import type { MeterBand, MeterMod } from '../../ofproto/model.ts';
import { OFPM_ALL, OFPM_CONTROLLER, OFPM_SLOWPATH } from '../../ofproto/model.ts';
import { fault, type Parsed, parsed, smallNumber, words } from '../../ofproto/text/syntax.ts';

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

/** The meter, or what is wrong with the text. */
export const parseMeter = (text: string, command: MeterMod['command']): Parsed<MeterMod> =>
  parsed(() => readMeter(text, command));
