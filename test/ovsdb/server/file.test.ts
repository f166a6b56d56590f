/** The file: what was committed is there, whatever happens to the end of it, and ovsdb-tool and ovsdb-server agree. */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../../src/ovsdb/json-stream.ts';
import { DatabaseFile, DatabaseFileError } from '../../../src/ovsdb/server/database-file.ts';
import { parseLog } from '../../../src/ovsdb/server/log-text.ts';
import { VSWITCH_SCHEMA } from '../../../src/ovsdb/server/vswitch-schema.ts';
import { VirtualClock } from '../../../src/util/virtual-clock.ts';
import { LogRecorder } from '../support/log-recorder.ts';
import { serveDatabase } from './support/served.ts';
import { insert, SMALL_SCHEMA, select } from './support/small-schema.ts';

let directory: string;
let path: string;
let logs: LogRecorder;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tsv-file-'));
  path = join(directory, 'conf.db');
  logs = new LogRecorder();
});
afterEach(() => rmSync(directory, { recursive: true }));

const open = (schema: JsonObject = SMALL_SCHEMA, at = path): DatabaseFile =>
  DatabaseFile.open({
    path: at,
    schema,
    newUuid: randomUUID,
    clock: new VirtualClock(),
    log: logs.module('ovsdb_log'),
  });

/** Opens the file, carries transactions out and closes it; returns their results. */
function run(...transactions: Json[][]): Json[][] {
  const file = open();
  const { client } = serveDatabase(file.db, file, randomUUID);
  const results = transactions.map((operations) => client.transact(...operations));
  file.close();
  return results;
}

const namesIn = (results: Json[]): Json =>
  ((results[0] as JsonObject).rows as JsonObject[]).map(({ name }) => name);

describe('a database file', () => {
  it('keeps what was committed, but no ephemeral column', () => {
    const file = open(VSWITCH_SCHEMA);
    const { client } = serveDatabase(file.db, file, randomUUID);
    const row = { target: 'x', is_connected: true };
    client.transact(
      insert('Manager', row, 'm'),
      insert('Open_vSwitch', { manager_options: ['named-uuid', 'm'] }),
    );
    const before = statSync(path).size;
    client.transact({ op: 'update', table: 'Manager', where: [], row: { is_connected: false } });
    expect(statSync(path).size).toBe(before);
    client.transact({ op: 'update', table: 'Manager', where: [], row: { is_connected: true } });
    file.close();
    const again = open(VSWITCH_SCHEMA);
    const after = serveDatabase(again.db, again, randomUUID).client;
    expect(after.transact(select('Manager', [], 'target', 'is_connected'))).toEqual([
      { rows: [{ target: 'x', is_connected: false }] },
    ]);
    again.close();
  });

  it('is written before the reply, and not at all for what fails', () => {
    const file = open();
    const { client } = serveDatabase(file.db, file, randomUUID);
    const size = (): number => statSync(path).size;
    let before = size();
    client.transact(insert('Root', { name: 'a' }));
    expect(size()).toBeGreaterThan(before);
    before = size();
    client.transact(insert('Root', { name: 'a' }));
    client.transact(insert('Root', { name: 'b', number: 1 }), { op: 'abort' });
    client.transact(select('Root'));
    expect(size()).toBe(before);
    file.close();
  });

  it('cut at any byte opens with all whole records, says what it drops, and goes on', () => {
    run([insert('Root', { name: 'a' })], [insert('Root', { name: 'b', number: 1 })]);
    const whole = readFileSync(path);
    const { records } = parseLog(whole);
    expect(records).toHaveLength(3);
    /** Where each record ends. */
    const ends = [...Array(whole.length + 1).keys()].filter((at) => {
      const { goodBytes, problem } = parseLog(whole.subarray(0, at));
      return at > 0 && problem === null && goodBytes === at;
    });
    expect(ends).toHaveLength(3);
    for (let at = ends[0]; at <= whole.length; at++) {
      writeFileSync(path, whole.subarray(0, at));
      logs.lines.length = 0;
      const [result, added] = run(
        [select('Root', [], 'name')],
        [insert('Root', { name: 'z', number: 9 })],
      );
      const expected = ['a', 'b'].slice(0, ends.filter((end) => end <= at).length - 1);
      expect(namesIn(result)).toEqual(expected);
      expect(added[0]).toHaveProperty('uuid');
      expect(parseLog(readFileSync(path)).records).toHaveLength(expected.length + 2);
      expect(logs.has('dropping the last'), `cut at ${at}`).toBe(!ends.includes(at));
    }
  });

  it('cut within the schema is refused and left as it is', () => {
    run([]);
    const whole = readFileSync(path);
    for (const at of [0, 1, 20, 60, whole.length - 1]) {
      writeFileSync(path, whole.subarray(0, at));
      expect(() => open()).toThrow(DatabaseFileError);
      expect(statSync(path).size).toBe(at);
    }
  });

  it('with a flipped bit loses the record of it and says so', () => {
    run([insert('Root', { name: 'a' })], [insert('Root', { name: 'b', number: 1 })]);
    const bytes = readFileSync(path);
    bytes[bytes.length - 5] ^= 1;
    writeFileSync(path, bytes);
    expect(namesIn(run([select('Root', [], 'name')])[0])).toEqual(['a']);
    expect(logs.has('SHA-1')).toBe(true);
  });

  it('that is something else is not touched', () => {
    for (const text of [
      'hello\n',
      'OVSDB CLUSTER 5 x\n',
      'OVSDB JSON 3 0000000000000000000000000000000000000000\nabc',
    ]) {
      writeFileSync(path, text);
      expect(() => open()).toThrow(DatabaseFileError);
      expect(readFileSync(path, 'utf8')).toBe(text);
    }
  });

  it('has one user at a time', () => {
    const query = (): string =>
      execFileSync('ovsdb-tool', ['compact', path], { encoding: 'utf8', stdio: 'pipe' });
    const file = open();
    expect(query).toThrow(/lock/);
    file.close();
    query();
  });

  it('compacts to a smaller file of the same content, behind a link, too', () => {
    const link = join(directory, 'link.db');
    run([insert('Root', { name: 'a' })]);
    symlinkSync(path, link);
    const file = open(SMALL_SCHEMA, link);
    const { client } = serveDatabase(file.db, file, randomUUID);
    for (let number = 0; number < 50; number++)
      client.transact({ op: 'update', table: 'Root', where: [], row: { number } });
    const before = statSync(path).size;
    file.compact();
    expect(statSync(path).size).toBeLessThan(before / 4);
    expect(existsSync(`${path}.tmp`)).toBe(false);
    client.transact({ op: 'update', table: 'Root', where: [], row: { number: 99 } });
    file.close();
    expect(run([select('Root', [], 'name', 'number')])[0]).toEqual([
      { rows: [{ name: 'a', number: 99 }] },
    ]);
    expect(parseLog(readFileSync(path)).records).toHaveLength(3);
  });

  it('is what ovsdb-tool reads, compacts and shows', () => {
    const file = open(VSWITCH_SCHEMA);
    const { client } = serveDatabase(file.db, file, randomUUID);
    const comment: Json = { op: 'comment', comment: 'who did it' };
    client.transact(insert('Open_vSwitch', { next_cfg: 3 }), comment);
    client.transact({ op: 'update', table: 'Open_vSwitch', where: [], row: { next_cfg: 4 } });
    file.close();
    const tool = (...args: string[]): string =>
      execFileSync('ovsdb-tool', args, { encoding: 'utf8' });
    expect(tool('db-version', path)).toBe('8.3.1\n');
    expect(tool('db-cksum', path)).toBe('3012963480 26720\n');
    expect(tool('db-name', path)).toBe('Open_vSwitch\n');
    expect(tool('show-log', path)).toContain('"who did it"');
    expect(tool('show-log', '-mm', path)).toContain('next_cfg');
    tool('compact', path);
    const again = open(VSWITCH_SCHEMA);
    const after = serveDatabase(again.db, again, randomUUID).client;
    expect(after.transact(select('Open_vSwitch', [], 'next_cfg'))).toEqual([
      { rows: [{ next_cfg: 4 }] },
    ]);
    again.close();
  });

  it('of an older schema is converted, and kept beside', () => {
    const { Root, Leaf } = SMALL_SCHEMA.tables as { Root: JsonObject; Leaf: JsonObject };
    const columns = { ...(Root.columns as JsonObject), gone: { type: 'string' } };
    delete (columns as JsonObject).flag;
    const older = {
      name: 'Open_vSwitch',
      version: '0.9.7',
      cksum: '12 34',
      tables: { Root: { isRoot: true, columns }, Leaf },
    };
    const file = open(older);
    const { client } = serveDatabase(file.db, file, randomUUID);
    client.transact(
      insert('Leaf', { name: 'l' }, 'l'),
      insert('Root', { name: 'a', gone: 'x', number: 4, child: ['named-uuid', 'l'] }),
    );
    file.close();
    const all = [select('Root', [], 'name', 'number', 'flag'), select('Leaf', [], 'name')];
    for (let times = 0; times < 2; times++)
      expect(run(all)[0]).toEqual([
        { rows: [{ name: 'a', number: 4, flag: false }] },
        { rows: [{ name: 'l' }] },
      ]);
    expect(parseLog(readFileSync(`${path}.backup0.9.7-12-34`)).records).toHaveLength(2);
  });

  it('of another database is refused', () => {
    open({ ...SMALL_SCHEMA, name: 'hardware_vtep' }).close();
    expect(() => open()).toThrow('holds the database hardware_vtep');
  });

  it('of ovsdb-tool is taken, garbage behind it dropped', () => {
    const schema = '/usr/share/openvswitch/vswitch.ovsschema';
    execFileSync('ovsdb-tool', ['create', path, schema]);
    const add = JSON.stringify(['Open_vSwitch', insert('Open_vSwitch', { next_cfg: 7 })]);
    execFileSync('ovsdb-tool', ['transact', path, add], { stdio: 'ignore' });
    appendFileSync(path, 'OVSDB JSON 12');
    const file = open(VSWITCH_SCHEMA);
    const { client } = serveDatabase(file.db, file, randomUUID);
    expect(client.transact(select('Open_vSwitch', [], 'next_cfg'))).toEqual([
      { rows: [{ next_cfg: 7 }] },
    ]);
    file.close();
  });
});
