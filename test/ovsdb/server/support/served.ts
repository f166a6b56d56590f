/** A server in memory and sessions on it, whose messages are kept in lists. */
import type { Json, JsonObject } from '../../../../src/ovsdb/json-stream.ts';
import { Database } from '../../../../src/ovsdb/server/database.ts';
import { readSchema } from '../../../../src/ovsdb/server/database-schema.ts';
import { DatabaseServer, type Journal } from '../../../../src/ovsdb/server/database-server.ts';
import { Session, type SessionLimits } from '../../../../src/ovsdb/server/session.ts';
import { VSWITCH_SCHEMA } from '../../../../src/ovsdb/server/vswitch-schema.ts';
import { VirtualClock } from '../../../../src/util/virtual-clock.ts';

/** UUIDs that count: 00000001-..., so that tests can foresee them. */
export function countingUuids(): () => string {
  let count = 0;
  return () => `${(++count).toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;
}

export class Client {
  readonly received: JsonObject[] = [];
  readonly session: Session;
  isSentAway = false;
  private nextId = 1;

  constructor(server: DatabaseServer, limits?: SessionLimits) {
    this.session = new Session(
      server,
      (message) => this.received.push(message),
      () => {
        this.isSentAway = true;
      },
      limits,
    );
  }

  /** Sends a request and returns its id. */
  send(method: string, ...params: Json[]): number {
    const id = this.nextId++;
    const wrong = this.session.receive({ method, params, id });
    if (wrong !== null) throw new Error(wrong);
    return id;
  }

  /** The reply to a request, undefined before it came. */
  replyTo(id: number): JsonObject | undefined {
    return this.received.find((message) => message.id === id);
  }

  /** Result of a request that is answered at once; throws what the reply's error says. */
  call(method: string, ...params: Json[]): Json {
    const reply = this.replyTo(this.send(method, ...params));
    if (reply === undefined) throw new Error(`no reply to ${method}`);
    if (reply.error !== null) throw new Error(JSON.stringify(reply.error));
    return reply.result;
  }

  transact(...operations: Json[]): Json[] {
    return this.call('transact', 'Open_vSwitch', ...operations) as Json[];
  }

  /** Takes the notifications out that came since. */
  notifications(): JsonObject[] {
    const taken = this.received.filter(({ method }) => method !== undefined);
    const kept = this.received.filter(({ method }) => method === undefined);
    this.received.splice(0, this.received.length, ...kept);
    return taken.map(({ method, params }) => ({ method, params }));
  }
}

export const serve = (schema: JsonObject = VSWITCH_SCHEMA) =>
  serveDatabase(new Database(readSchema(schema)), null);

export function serveDatabase(
  db: Database,
  journal: Journal | null,
  newUuid: () => string = countingUuids(),
) {
  const clock = new VirtualClock();
  const server = new DatabaseServer({ clock, newUuid });
  const hosted = server.add(db, journal);
  return { clock, server, db, hosted, client: new Client(server) };
}
