/** What --help, --commands and --options print, all from the tables of commands and options. */
import { COMMAND_GROUPS, COMMANDS } from './commands.ts';
import { GLOBAL_SPECS } from './options.ts';
import { recordNameTexts } from './records.ts';
import { SCHEMA } from './schema.ts';

export function helpText(): string {
  const groups = COMMAND_GROUPS.map(
    ([title, commands]) =>
      `${title} commands:\n${commands.map(({ usage }) => `  ${usage}\n`).join('')}`,
  );
  const records = [...SCHEMA.tables.keys()]
    .sort()
    .map((table) => `  ${table}: ${recordNameTexts(table).join(', ')}\n`)
    .join('');
  return `ts-vsctl: reads and changes the configuration of a switch
usage: ts-vsctl [OPTIONS] COMMAND [ARG...] [-- [OPTIONS] COMMAND [ARG...]]...

${groups.join('\n')}
Rows are named:
${records}`;
}

/** A line a command: its options, its name, its arguments. */
export function commandsText(): string {
  const line = ({
    name,
    args,
    options,
  }: {
    name: string;
    args: string;
    options: readonly string[];
  }) => `${options.map((option) => `[${option}] `).join('')},${name},${args}\n`;
  return [...COMMANDS.values()].map(line).join('');
}

export function optionsText(): string {
  return GLOBAL_SPECS.map(({ name, short, takes }) => {
    const long = `--${name}${takes === 'nothing' ? '' : '=ARG'}\n`;
    if (short === undefined) return long;
    return `${long}-${short}${takes === 'nothing' ? '' : ' ARG'}\n`;
  }).join('');
}
