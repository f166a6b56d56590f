/**
 * The message sequences of controllers (apps/controllers.py, on os-ken's messages) against Open vSwitch and against this switch: what the two answer is
 * equal but for what test/labs/apps/osken_peer.py calls volatile.
 */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ovsOfctl, SCHEMA, Side } from './support/ofctl-side.ts';
import { inRepository } from './support/repository.ts';

const PYTHON = '/usr/bin/python3';
const SCENARIOS = [
  ...['faucet', 'all_requests', 'handshakes', 'roles', 'async_config', 'packet_ins'],
  ...['rates', 'live_changes', 'fail_modes', 'probes', 'snooping'],
];
/** Each side has ten ports of TCP. */
const FIRST_PORT = 20_000 + (process.pid % 500) * 20;

const works = (program: string, ...args: string[]): boolean =>
  spawnSync(program, args).status === 0;
const isThere = works('ovs-vswitchd', '--version') && existsSync(SCHEMA);
const hasOsken = works(PYTHON, '-c', 'import os_ken');

let theirs: Side;
let ours: Side;
beforeAll(() => {
  if (!isThere || !hasOsken) return;
  theirs = new Side('ovs-vswitchd', ovsOfctl);
  ours = new Side(inRepository('bin/ts-vswitchd'), ovsOfctl);
}, 60_000);
afterAll(() => {
  theirs?.stop();
  ours?.stop();
});

const play = (side: Side, port: number, scenario: string): Promise<string[]> =>
  new Promise((resolve) => {
    const script = inRepository('test/labs/apps/controllers.py');
    const args = [script, side.directory, String(port), scenario];
    execFile(PYTHON, args, { timeout: 90_000 }, (_, out, err) => {
      resolve([...out.split('\n'), ...err.split('\n')]);
    });
  });

/** Needs openvswitch-switch and python3-os-ken of Debian. */
describe.skipIf(!isThere || !hasOsken)('both switches answer alike:', () => {
  test.each(SCENARIOS)(
    '%s',
    async (scenario) => {
      const [expected, got] = await Promise.all([
        play(theirs, FIRST_PORT, scenario),
        play(ours, FIRST_PORT + 10, scenario),
      ]);
      expect(got).toEqual(expected);
      expect(expected.join('\n')).not.toContain('FAILED');
    },
    100_000,
  );
});
