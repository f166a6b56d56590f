/** What needs no switch: parse-flow, parse-flows and parse-group tell what a text means, ofp-print and ofp-parse what bytes do. */

import {
  OF_VERSIONS,
  OF10,
  OF15,
  type OfVersion,
  versionName,
} from '../../ofproto/codec/versions.ts';
import type { FlowMod } from '../../ofproto/model.ts';
import { ANY_FORMAT, formatsOf, formatsText, NXM } from '../../ofproto/text/flow-protocols.ts';
import type { Command, CommandTable, Shell } from './command.ts';
import { flowOf, formatsOfFlow, meaningful, normalized, spoken } from './flow-commands.ts';
import { flowModText } from './flow-text.ts';
import { parseGroup, usableForGroup } from './group-syntax.ts';
import { groupModText } from './group-text.ts';
import { hexdump } from './hexdump.ts';
import { messageText } from './message-text.ts';
import { NO_NAMES } from './names.ts';
import { fail } from './ofctl-error.ts';

const NAMES_TABLE = /(?:^|[,\s])table=/;
const TABLE_UNSAID = 255;

interface Line {
  readonly text: string;
  readonly where: string;
}

/** The first format that is usable and allowed, as a bit; it is told with all that are. */
function chosenFormat(shell: Shell, usable: number): number {
  const both = usable & shell.options.formats;
  const chosen = both & -both;
  shell.print(`usable protocols: ${formatsText(usable)}\n`);
  if (both === 0) fail('no usable protocol');
  shell.print(`chosen protocol: ${formatsText(chosen)}\n`);
  return chosen;
}

function printFlows(shell: Shell, lines: readonly Line[]): void {
  const scene = { context: { version: shell.options.versions[0] ?? OF10 } };
  const mods = lines.map(({ text, where }) => flowOf(text, 'add', scene, NO_NAMES, where));
  const usable = mods.reduce(
    (bits, mod, i) => bits & formatsOfFlow(mod, lines[i].where),
    ANY_FORMAT,
  );
  const chosen = chosenFormat(shell, usable);
  const version = OF_VERSIONS.find((one) => (formatsOf(one) & chosen) !== 0) ?? OF10;
  const name = (chosen & NXM) === 0 ? 'OFPT_FLOW_MOD' : 'NXT_FLOW_MOD';
  const hasTables = (chosen & TABLE_ID) !== 0;
  for (const [i, mod] of mods.entries()) {
    const table = hasTables && !NAMES_TABLE.test(lines[i].text) ? TABLE_UNSAID : mod.tableId;
    const flow: FlowMod = { ...spoken(normalized(shell, mod), version), tableId: table, version };
    const shown = flowModText(flow, {});
    // Where no table was said, 1.0 asks the switch to choose one.
    const text = table === TABLE_UNSAID ? shown.replace('ADD ', 'ADD table:255 ') : shown;
    shell.print(`${name}${suffixOf(version)} (xid=0x${(i + 1).toString(16)}): ${text}\n`);
  }
}

/** OpenFlow10+table_id and NXM+table_id. */
const TABLE_ID = 0x00a;
const suffixOf = (version: OfVersion): string => (version === OF10 ? '' : ` (OF1.${version - 1})`);

const parseFlow: Command = {
  least: 1,
  most: 1,
  usage: 'FLOW',
  async run(shell, [text]) {
    printFlows(shell, [{ text, where: '' }]);
    return undefined;
  },
};

const parseFlows: Command = {
  least: 1,
  most: 1,
  usage: 'FILE',
  async run(shell, [file]) {
    const lines = meaningful(shell.readLines(file));
    const name = file === '-' ? '<stdin>' : file;
    printFlows(
      shell,
      lines.map(({ text, number }) => ({ text, where: `${name}:${number}: ` })),
    );
    return undefined;
  },
};

const parseGroupCommand: Command = {
  least: 1,
  most: 1,
  usage: 'GROUP',
  async run(shell, [text]) {
    const got = parseGroup(text, 'add', OF15, NO_NAMES);
    const groupMod = got.ok ? got.value : fail(got.error);
    const usable = usableForGroup(groupMod);
    const version =
      OF_VERSIONS.find((one) => (formatsOf(one) & usable & shell.options.formats) !== 0) ??
      fail('no usable protocol');
    shell.print(`usable protocols: ${formatsText(usable)}\n`);
    shell.print(`chosen version: ${versionName(version)}\n`);
    const name = version === OF10 ? 'NXT_GROUP_MOD' : 'OFPT_GROUP_MOD';
    const bucketIds = version === OF10 || version === OF15;
    const body = groupModText({ ...groupMod, version }, { bucketIds });
    shell.print(`${name}${suffixOf(version)} (xid=0x1):${body}`);
    return undefined;
  },
};

const HEADER_BYTES = 8;
const lengthOf = (bytes: Uint8Array): number => (bytes[2] << 8) | bytes[3];
const textOf = (bytes: Uint8Array): string =>
  messageText(bytes, { names: {}, context: { version: OF10 } });

/** Any bytes as a message. */
function printed(bytes: Uint8Array): string {
  if (bytes.length < HEADER_BYTES) {
    return `OpenFlow packet too short (only ${bytes.length} bytes):\n${hexdump(bytes)}`;
  }
  if (lengthOf(bytes) > bytes.length) {
    return `(***truncated to ${bytes.length} bytes from ${lengthOf(bytes)}***)\n${hexdump(bytes)}`;
  }
  if (lengthOf(bytes) < bytes.length) {
    return `(***only uses ${lengthOf(bytes)} bytes out of ${bytes.length}***)\n${hexdump(bytes)}`;
  }
  return textOf(bytes);
}

const ofpPrint: Command = {
  least: 1,
  most: 2,
  usage: 'HEXBYTES',
  async run(shell, [text]) {
    const digits = text.replaceAll(/\s/g, '');
    if (!/^([0-9a-f]{2})*$/i.test(digits)) fail('trailing garbage in hex bytes');
    const pairs = digits.match(/../g) ?? [];
    shell.print(printed(Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16))));
    return undefined;
  },
};

const ofpParse: Command = {
  least: 1,
  most: 1,
  usage: 'FILE',
  async run(shell, [file]) {
    const bytes = shell.readBytes(file);
    const name = file === '-' ? 'stdin' : file;
    for (let at = 0; at < bytes.length; ) {
      const left = bytes.subarray(at);
      if (left.length < HEADER_BYTES) fail(`${name}: unexpected end of file mid-message`);
      const length = lengthOf(left);
      if (length < HEADER_BYTES) fail(`${name}: ${length}-byte message is too short for OpenFlow`);
      if (length > left.length) fail(`${name}: unexpected end of file mid-message`);
      shell.print(textOf(left.subarray(0, length)));
      at += length;
    }
    return undefined;
  },
};

export const parseCommands: CommandTable = {
  'parse-flow': parseFlow,
  'parse-flows': parseFlows,
  'parse-group': parseGroupCommand,
  'ofp-print': ofpPrint,
  'ofp-parse': ofpParse,
};
