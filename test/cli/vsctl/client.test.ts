/** The client on the embedded server, without any program of Open vSwitch: what it prints, what it writes, how it ends. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { tsVsctl, VsctlSide } from '../../labs/support/vsctl-side.ts';
import { words } from '../../labs/vsctl/section.ts';

let side: VsctlSide;
beforeAll(async () => {
  side = await new VsctlSide('embedded', tsVsctl).start();
});
afterAll(() => side.stop());

const run = (line: string) => side.run(words(line));

async function out(line: string): Promise<string> {
  const { status, out, err } = await run(line);
  expect(err).toBe('');
  expect(status).toBe(0);
  return out;
}

async function refused(line: string): Promise<string> {
  const { status, err } = await run(line);
  expect(status).toBe(1);
  return err;
}

describe('ts-vsctl', () => {
  it('makes bridges and ports, and shows them', async () => {
    await out(
      'add-br br0 -- add-port br0 p1 tag=3 -- set interface p1 type=vxlan options:remote_ip=1.2.3.4',
    );
    expect(await out('show')).toMatch(/^[0-9a-f-]{36}\n {4}Bridge br0\n/);
    expect(await out('show')).toContain(
      '        Port p1\n            tag: 3\n            Interface p1\n' +
        '                type: vxlan\n                options: {remote_ip="1.2.3.4"}\n',
    );
    expect(await out('list-ports br0 -- port-to-br p1 -- get port p1 tag')).toBe('p1\nbr0\n3\n');
  });

  it('takes a fake bridge for one', async () => {
    await out('add-br fake br0 9 -- add-port fake p9');
    expect(await out('list-br -- --fake list-br -- br-to-vlan fake -- get port p9 tag')).toBe(
      'br0\nfake\nfake\n9\n9\n',
    );
    await out('del-br fake');
    expect(await out('list-ports br0')).toBe('p1\n');
  });

  it('carries out a chain whole or not at all', async () => {
    expect(await refused('add-port br0 p2 -- add-port br0 p2')).toBe(
      'ts-vsctl: cannot create a port named p2 because a port named p2 already exists on bridge br0\n',
    );
    expect(await out('list-ports br0')).toBe('p1\n');
  });

  it('ends with 2 where br-exists finds nothing', async () => {
    expect((await run('br-exists br0')).status).toBe(0);
    expect((await run('br-exists nope')).status).toBe(2);
  });

  it('names rows within a chain', async () => {
    const printed = await out(
      '--id=@p get port p1 -- --id=@m create mirror name=m output_port=@p -- set bridge br0 mirrors=@m',
    );
    expect(printed).toMatch(/^[0-9a-f-]{36}\n$/);
    expect(await out('get mirror m name')).toBe('m\n');
    expect(await refused('set bridge br0 mirrors=@x')).toBe(
      'ts-vsctl: row id "@x" is referenced but never created (e.g. with "-- --id=@x create ...")\n',
    );
  });

  it('tells of devices that the switch could not set up', async () => {
    const { status, err } = await run('add-port br0 bad-why');
    expect(status).toBe(0);
    expect(err).toBe(
      `ts-vsctl: Error detected while setting up 'bad-why': no such device.  See ovs-vswitchd log for details.\nts-vsctl: The default log directory is "${side.directory}".\n`,
    );
    await out('del-port bad-why');
  });

  test('a dry run changes nothing', async () => {
    expect(await out('--dry-run add-port br0 p5 -- list-ports br0')).toBe('p1\np5\n');
    expect(await out('list-ports br0')).toBe('p1\n');
  });

  test('wait-until waits', async () => {
    const waiting = out(
      'wait-until bridge br0 external_ids:ready=yes -- get bridge br0 external_ids',
    );
    await out('set bridge br0 external_ids:ready=no');
    await out('set bridge br0 external_ids:ready=yes');
    expect(await waiting).toBe('{ready=yes}\n');
  });

  it('tries again when somebody else was faster', async () => {
    const names = Array.from({ length: 12 }, (_, i) => `c${i}`);
    await Promise.all(names.map((name) => out(`add-port br0 ${name}`)));
    expect((await out('list-ports br0')).split('\n').filter((name) => /^c/.test(name))).toEqual(
      [...names].sort(),
    );
    await out(names.map((name) => `del-port ${name}`).join(' -- '));
  });

  it('says why it cannot connect', async () => {
    expect(await refused('--db=unix:/nonexistent show')).toBe(
      'ts-vsctl: unix:/nonexistent: database connection failed (No such file or directory)\n',
    );
    expect(await refused('--db=what:ever show')).toBe(
      'ts-vsctl: what:ever: database connection failed (Address family not supported by protocol)\n',
    );
  });

  it('tries one server after the other', async () => {
    expect(await out(`--db=unix:/nonexistent,unix:${side.socket} list-br`)).toBe('br0\n');
  });

  it('waits on for the switch when the server begins anew', async () => {
    const other = await new VsctlSide('embedded', tsVsctl).start();
    other.holdChanges();
    const adding = other.run(['add-br', 'late']);
    while ((await other.run(['--no-wait', 'list-br'])).out !== 'late\n') await sleep(10);
    await other.restart();
    expect(await adding).toEqual({ status: 0, out: '', err: '' });
    other.stop();
  });

  it('waits to be called where the database comes to it', async () => {
    const socket = `${side.directory}/passive.sock`;
    const asked = out(`--db=punix:${socket} list-br`);
    await out(`set-manager unix:${socket}`);
    expect(await asked).toBe('br0\n');
    await out('del-manager');
  });
});
