/** What --help, --commands and --options print, all from the tables of commands and options. */
import { COMMAND_GROUPS, COMMANDS } from './commands.ts';
import { GLOBAL_SPECS } from './options.ts';
import { recordNameTexts } from './records.ts';
import { SCHEMA } from './schema.ts';

const OPTIONS_HELP = `Options:
  --db=DATABASE                  where the database is
  --no-wait                      do not wait for the switch
  --oneline                      one line of output for each command
  --dry-run                      change nothing
  -t, --timeout=SECONDS          end by SIGALRM after so long
  --retry                        try again while there is no server
  -f, --format=FORMAT            of tables: list, table, html, csv, json
  -d, --data=FORMAT              of cells: string, bare, json
  --bare, --no-headings, --pretty, --max-column-width=N  of tables, too
  -p, --private-key=FILE, -c, --certificate=FILE, -C, --ca-cert=FILE  for ssl:
  --leader-only, --no-leader-only, --shuffle-remotes, --no-shuffle-remotes  for clusters
  -vSPEC, --verbose=SPEC         logging levels
  --log-file[=FILE]              log to FILE
  --bootstrap-ca-cert=FILE       the same, written at the first connection
  --peer-ca-cert=FILE            an authority's certificate to hand to the peer
  --ssl-protocols=PROTOCOLS, --ssl-ciphers=CIPHERS  what TLS may use
  --no-syslog, --syslog-method=METHOD, --syslog-target=TARGET  accepted
  --commands, --options          lists for completion
  -h, --help                     show this text
  -V, --version                  show versions
`;

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
${OPTIONS_HELP}
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
