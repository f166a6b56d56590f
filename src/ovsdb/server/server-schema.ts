/** The schema of `_Server`, the database in which a server tells of its databases (ovsdb-server(5)). */
import type { JsonObject } from '../json-stream.ts';

export const SERVER_SCHEMA: JsonObject = {
  name: '_Server',
  version: '1.2.0',
  cksum: '3009684573 744',
  tables: {
    Database: {
      columns: {
        name: { type: 'string' },
        model: {
          type: {
            key: { type: 'string', enum: ['set', ['standalone', 'clustered', 'relay']] },
          },
        },
        connected: { type: 'boolean' },
        leader: { type: 'boolean' },
        schema: { type: { key: 'string', min: 0 } },
        cid: { type: { key: 'uuid', min: 0 } },
        sid: { type: { key: 'uuid', min: 0 } },
        index: { type: { key: 'integer', min: 0 } },
      },
    },
  },
};
