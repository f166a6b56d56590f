/** The schema by which command lines are read: the one of Open vSwitch 3.1, whatever the server has. */
import { readSchema } from '../../ovsdb/server/database-schema.ts';
import { VSWITCH_SCHEMA } from '../../ovsdb/server/vswitch-schema.ts';

export const SCHEMA = readSchema(VSWITCH_SCHEMA);
