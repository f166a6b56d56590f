import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readSchema, schemaJson } from '../../../src/ovsdb/server/database-schema.ts';
import { OvsdbFailure } from '../../../src/ovsdb/server/failure.ts';
import { SERVER_SCHEMA } from '../../../src/ovsdb/server/server-schema.ts';
import { VSWITCH_SCHEMA } from '../../../src/ovsdb/server/vswitch-schema.ts';
import { DatabaseServer } from '../support/database-server.ts';

const STOCK = '/usr/share/openvswitch/vswitch.ovsschema';

describe('the schema', () => {
  it('is that of Open vSwitch 3.1', () => {
    const stock = schemaJson(readSchema(JSON.parse(readFileSync(STOCK, 'utf8'))));
    expect(schemaJson(readSchema(VSWITCH_SCHEMA))).toEqual(stock);
  });

  it('is told as ovsdb-server tells it', async () => {
    const peer = new DatabaseServer();
    try {
      await peer.start();
      const told = (name: string): unknown =>
        JSON.parse(
          execFileSync('ovsdb-client', ['get-schema', peer.target, name], { encoding: 'utf8' }),
        );
      expect(schemaJson(readSchema(VSWITCH_SCHEMA))).toEqual(told('Open_vSwitch'));
      expect(schemaJson(readSchema(SERVER_SCHEMA))).toEqual(told('_Server'));
    } finally {
      await peer.remove();
    }
  });

  it('refuses what is none', () => {
    const column = (type: unknown) => ({
      name: 'x',
      tables: { T: { columns: { c: { type } } } },
    });
    const bad = [
      null,
      {},
      { name: 'x y', tables: {} },
      { name: 'x', tables: { T: {} } },
      column('int'),
      column({ key: 'integer', min: 2 }),
      column({ key: 'integer', max: 0 }),
      column({ key: { type: 'integer', minInteger: 3, maxInteger: 2 } }),
      column({ key: { type: 'uuid', refTable: 'None' } }),
      column({ key: { type: 'uuid', refTable: 'T', refType: 'loose' } }),
      { name: 'x', tables: { T: { columns: { _c: { type: 'string' } } } } },
      { name: 'x', tables: { T: { columns: {}, indexes: [['c']] } } },
    ];
    for (const schema of bad)
      expect(() => readSchema(schema as never), JSON.stringify(schema)).toThrow(OvsdbFailure);
  });
});
