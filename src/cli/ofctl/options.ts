/** The command line of ovs-ofctl(8), as plain data. */
import {
  OF10,
  OF14,
  type OfVersion,
  versionByName,
  versionName,
} from '../../ofproto/codec/versions.ts';
import {
  ANY_FORMAT,
  formatsFrom,
  formatsOf,
  formatsText,
} from '../../ofproto/text/flow-protocols.ts';
import { parsed } from '../../ofproto/text/syntax.ts';
import { getopt, type OptionSpec } from '../getopt.ts';
import { pathsFrom } from '../options.ts';
import { fail } from './ofctl-error.ts';

export interface SortKey {
  /** Null for the priority. */
  readonly field: string | null;
  readonly descending: boolean;
}

/** Files of -p, -c and -C. */
export interface TlsFiles {
  readonly key: string | undefined;
  readonly certificate: string | undefined;
  readonly authority: string | undefined;
}

export interface OfctlOptions {
  readonly help: boolean;
  readonly version: boolean;
  readonly runDir: string;
  readonly versions: readonly OfVersion[];
  readonly versionsGiven: boolean;
  /** Flow formats that -F and the versions allow, as the bits of flow-protocols.ts. */
  readonly formats: number;
  /** True and false as given; null to accept names, and to show them on a terminal. */
  readonly names: boolean | null;
  readonly stats: boolean;
  readonly strict: boolean;
  readonly bundle: boolean;
  readonly readd: boolean;
  readonly mayCreate: boolean;
  readonly timestamp: boolean;
  /** Nothing may be changed. */
  readonly readOnly: boolean;
  readonly tls: TlsFiles;
  readonly packetInFormat: string | null;
  readonly timeoutSeconds: number;
  readonly sort: readonly SortKey[];
  readonly positional: readonly string[];
}

export const OFCTL_SPECS: readonly OptionSpec[] = [
  { name: 'protocols', short: 'O', takes: 'required' },
  { name: 'flow-format', short: 'F', takes: 'required' },
  { name: 'packet-in-format', short: 'P', takes: 'required' },
  { name: 'timeout', short: 't', takes: 'required' },
  { name: 'more', short: 'm', takes: 'nothing' },
  { name: 'names', takes: 'nothing' },
  { name: 'no-names', takes: 'nothing' },
  { name: 'stats', takes: 'nothing' },
  { name: 'no-stats', takes: 'nothing' },
  { name: 'strict', takes: 'nothing' },
  { name: 'bundle', takes: 'nothing' },
  { name: 'readd', takes: 'nothing' },
  { name: 'may-create', takes: 'nothing' },
  { name: 'timestamp', takes: 'nothing' },
  { name: 'sort', takes: 'optional' },
  { name: 'rsort', takes: 'optional' },
  { name: 'color', takes: 'optional' },
  { name: 'verbose', short: 'v', takes: 'optional' },
  { name: 'read-only', takes: 'nothing' },
  { name: 'unixctl', takes: 'required' },
  { name: 'private-key', short: 'p', takes: 'required' },
  { name: 'certificate', short: 'c', takes: 'required' },
  { name: 'ca-cert', short: 'C', takes: 'required' },
  { name: 'help', short: 'h', takes: 'nothing' },
  { name: 'version', short: 'V', takes: 'nothing' },
];

const versionsOf = (text: string): OfVersion[] =>
  text
    .split(',')
    .filter((name) => name !== '')
    .map((name) => versionByName(name) ?? fail(`Unknown OpenFlow version: "${name}"`));

/** Formats that are allowed, and the versions that have some of them. */
function formatsAmong(
  versions: readonly OfVersion[],
  text: string | undefined,
): Pick<OfctlOptions, 'formats' | 'versions'> {
  const got = parsed(() => (text === undefined ? ANY_FORMAT : formatsFrom(text)));
  const asked = got.ok ? got.value : fail(got.error);
  const formats = versions.reduce<number>(
    (bits, version) => bits | (formatsOf(version) & asked),
    0,
  );
  if (formats !== 0) {
    return { formats, versions: versions.filter((version) => (formatsOf(version) & asked) !== 0) };
  }
  return fail(
    `None of the enabled OpenFlow versions (${versions.map(versionName).join(', ')}) supports any of the enabled flow formats (${formatsText(asked)}).  (Use -O to enable additional OpenFlow versions or -F to enable additional flow formats.)`,
  );
}

/** Throws UsageError and OfctlError. */
export function parseOfctlOptions(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): OfctlOptions {
  const { options, positional } = getopt(OFCTL_SPECS, argv);
  const given = new Map(options.map(({ name, value }) => [name, value ?? '']));
  /** The last of two opposite options counts. */
  const last = (yes: string, no: string): boolean | null => {
    const one = options.findLast(({ name }) => name === yes || name === no);
    return one === undefined ? null : one.name === yes;
  };
  const color = given.get('color') ?? '';
  if (!['', 'always', 'never', 'auto'].includes(color)) {
    fail(`incorrect value \`${color}' for --color`);
  }
  const protocols = given.get('protocols');
  const timeout = given.get('timeout') ?? '0';
  if (!/^\d+$/.test(timeout)) fail(`value ${timeout} on -t or --timeout is invalid`);
  const sort = options
    .filter(({ name }) => name === 'sort' || name === 'rsort')
    .map(({ name, value }) => ({
      field: value === undefined || value === 'priority' ? null : value,
      descending: name === 'rsort',
    }));
  const versions: readonly OfVersion[] = protocols === undefined ? [OF10] : versionsOf(protocols);
  const allowed = formatsAmong(versions, given.get('flow-format'));
  const bundle = given.has('bundle');
  return {
    help: given.has('help'),
    version: given.has('version'),
    runDir: pathsFrom(env).runDir,
    versions: allowed.versions,
    versionsGiven: protocols !== undefined,
    // Bundles may be had in a version that was not asked for.
    formats: bundle ? allowed.formats | formatsOf(OF14) : allowed.formats,
    names: last('names', 'no-names'),
    stats: last('stats', 'no-stats') ?? true,
    strict: given.has('strict'),
    bundle,
    readd: given.has('readd'),
    mayCreate: given.has('may-create'),
    timestamp: given.has('timestamp'),
    readOnly: given.has('read-only'),
    tls: {
      key: given.get('private-key'),
      certificate: given.get('certificate'),
      authority: given.get('ca-cert'),
    },
    packetInFormat: given.get('packet-in-format') ?? null,
    timeoutSeconds: Number(timeout),
    sort,
    positional,
  };
}
