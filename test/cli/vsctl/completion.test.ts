/** The completion for bash, with a stand-in for the program. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commandsText, helpText, optionsText } from '../../../src/cli/vsctl/help.ts';

const hasBash = spawnSync('bash', ['-c', '(( BASH_VERSINFO[0] >= 4 ))']).status === 0;

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tsv-completion-'));
  for (const [name, text] of [
    ['commands', commandsText()],
    ['options', optionsText()],
    ['help', helpText()],
  ]) {
    writeFileSync(join(directory, name), text);
  }
});
afterAll(() => rmSync(directory, { recursive: true }));

const STAND_IN = `
ts-vsctl() {
  case "$*" in
    --commands | --options | --help) cat "$D/\${1#--}" ;;
    *list-br) printf 'br0\\nbr-ex\\n' ;;
    *'list-ports br0') printf 'p1\\np2\\n' ;;
    *'list-ifaces br0') printf 'p1\\ni2\\n' ;;
    *'--columns=name list Bridge') printf 'br0\\n\\nbr-ex\\n' ;;
    *'csv list Bridge') printf '_uuid,external_ids,name,stp_enable\\n' ;;
    *'csv list Port') printf '_uuid,name,tag,trunks\\n' ;;
    *) return 1 ;;
  esac
}
. contrib/ts-vsctl.bash
COMP_LINE="$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_ts_vsctl
printf '%s\\n' "\${COMPREPLY[@]}"
`;

/** What is offered behind these words, the last of which is begun. */
function offered(...words: string[]): string[] {
  const all = ['ts-vsctl', ...words];
  const out = execFileSync('bash', ['-c', STAND_IN, 'bash', all.join(' '), ...all], {
    env: { ...process.env, D: directory },
    encoding: 'utf8',
  });
  return out.split('\n').filter((line) => line !== '');
}

describe.skipIf(!hasBash)('completion', () => {
  test.each<[string[], string[]]>([
    [['add-b'], ['add-br', 'add-bond', 'add-bond-iface']],
    [['--no-w'], ['--no-wait']],
    [['--tim'], ['--timeout=']],
    [['--may'], ['--may-exist']],
    [
      ['--no-wait', 'del-br', ''],
      ['br0', 'br-ex'],
    ],
    [['add-br', 'x', '--', 'list-ports', 'br-'], ['br-ex']],
    [
      ['add-port', 'br0', 'p9', 't'],
      ['tag=', 'trunks='],
    ],
    [
      ['port-to-br', 'p'],
      ['p1', 'p2'],
    ],
    [['iface-to-br', 'i'], ['i2']],
    [
      ['set-fail-mode', 'br0', 's'],
      ['standalone', 'secure'],
    ],
    [['list', 'Net'], ['NetFlow']],
    [
      ['get', 'Bridge', 'br'],
      ['br0', 'br-ex'],
    ],
    [['get', 'Bridge', 'br0', 'name', 's'], ['stp_enable']],
    [['set', 'Bridge', 'br0', 'stp'], ['stp_enable=']],
    [['set', 'Open_vSwitch', ''], ['.']],
    [['nope', ''], []],
  ])('%j', (words, expected) => {
    expect(offered(...words).sort()).toEqual([...expected].sort());
  });
});
