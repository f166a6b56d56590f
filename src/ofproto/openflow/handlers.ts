/**
 * What the switch does with each kind of message: one function per kind, which answers through the connection and returns the error to send,
 * if any. Kinds that are not here are not for switches.
 *
 * Everything a message asks for is done when its function returns, and errors and answers go out in the order of the messages: so a
 * barrier (OpenFlow 1.3.5, 6.2) has nothing to wait for.
 */

import { TLV_FIELDS, TLV_SPACE_BYTES } from '../../packet/tlv-table.ts';
import type { OfErrorName } from '../codec/errors.ts';
import {
  decodeMessage,
  type Message,
  type MessageKind,
  type MessageOf,
  messageKind,
} from '../codec/messages.ts';
import { OF10, OF13 } from '../codec/versions.ts';
import { NO_BUFFER, type OfError } from '../model.ts';
import { resumePacket, packetOut as sendPacketOut } from '../packet-out.ts';
import { applyFlowMod } from '../tables/flow-mods.ts';
import { TABLE_INTERNAL } from '../tables/flow-table.ts';
import { applyGroupMod } from '../tables/groups.ts';
import { applyMeterMod } from '../tables/meters.ts';
import { commitBundle, isBundlable } from './commit-bundle.ts';
import type { Connection } from './connection.ts';
import { MULTIPARTS } from './multiparts.ts';
import type { OpenflowBridge } from './openflow-bridge.ts';
import { tableMod } from './table-mod.ts';
import { tlvTableMod } from './tlv-table-mod.ts';

export interface Request {
  readonly of: OpenflowBridge;
  readonly connection: Connection;
  readonly xid: number;
  /** The message as it came. */
  readonly bytes: Uint8Array;
}

export type Handler<K extends MessageKind> = (
  message: MessageOf<K>,
  request: Request,
) => OfErrorName | null;

export type Handlers = { readonly [K in MessageKind]?: Handler<K> };

/** Names of errors that tables use are those of the codec. */
const named = (error: OfError | null): OfErrorName | null =>
  error === null ? null : (error.error as OfErrorName);

/** Carries a change out, unless the controller may only look (OpenFlow 1.3.5, 6.3.4). */
const changing =
  <K extends MessageKind>(handle: Handler<K>): Handler<K> =>
  (message, request) => {
    if (request.connection.role === 'secondary') return 'OFPBRC_IS_SECONDARY';
    const error = handle(message, request);
    request.of.flushMonitors();
    return error;
  };

const OFPR_INVALID_TTL = 2;

const HANDLERS: Handlers = {
  hello: () => 'OFPBRC_BAD_TYPE',
  error: () => null,
  echoReply: () => null,
  echoRequest: ({ data }, { connection, xid }) => {
    connection.reply({ kind: 'echoReply', data }, xid);
    return null;
  },
  barrierRequest: (_, { connection, xid }) => {
    connection.reply({ kind: 'barrierReply' }, xid);
    return null;
  },
  featuresRequest: (_, { of, connection, xid }) => {
    connection.reply({ kind: 'featuresReply', ...of.features(connection.version) }, xid);
    return null;
  },

  getConfigRequest: (_, { of, connection, xid }) => {
    const { fragments } = of.bridge;
    connection.reply(
      {
        kind: 'getConfigReply',
        fragments: fragments === 'nx-match' ? 'nxMatch' : fragments,
        invalidTtlToController: connection.invalidTtlToController,
        missSendLength: connection.missSendLength,
      },
      xid,
    );
    return null;
  },
  setConfig: ({ fragments, invalidTtlToController, missSendLength }, { of, connection }) => {
    // Reassembly is not done; asking for it changes nothing.
    if (fragments !== 'reassemble' && connection.role !== 'secondary') {
      of.setFragments(fragments === 'nxMatch' ? 'nx-match' : fragments);
    }
    connection.missSendLength = missSendLength;
    if (connection.version < OF13) {
      connection.invalidTtlToController = invalidTtlToController;
      const { primary, secondary } = connection.async.config;
      const bit = 1 << OFPR_INVALID_TTL;
      const mask = primary.packetIn ?? 0;
      const packetIn = invalidTtlToController ? mask | bit : mask & ~bit;
      connection.async.set({ primary: { ...primary, packetIn }, secondary });
    }
    of.changedWishes();
    return null;
  },

  flowMod: changing(({ flowMod }, { of, connection, xid }) => {
    const error = named(applyFlowMod(of.bridge, flowMod, { connection, xid }));
    if (error !== null) return error;
    connection.flowMods.count(flowMod.command);
    // No frames are kept, so that a number of one is wrong (OpenFlow 1.3.5, 6.4); a deletion does not look at it.
    const isDelete = flowMod.command === 'delete' || flowMod.command === 'deleteStrict';
    return isDelete || flowMod.bufferId === NO_BUFFER ? null : 'OFPBRC_BUFFER_UNKNOWN';
  }),
  groupMod: changing((message, { of, connection, xid }) => {
    const { groupMod } = message;
    const error = named(applyGroupMod(of.bridge, groupMod, { connection, xid }));
    if (error === null) of.forwardRequest(connection, message, xid);
    return error;
  }),
  meterMod: changing((message, { of, connection, xid }) => {
    const { meterMod } = message;
    const error = named(applyMeterMod(of.bridge, meterMod, { connection, xid }));
    if (error === null) of.forwardRequest(connection, message, xid);
    return error;
  }),
  portMod: changing((message, { of, connection }) => named(of.portMod(connection, message))),
  tableMod: changing(({ table }, { of, connection }) => {
    const error = tableMod(of.bridge, table, connection.version);
    of.vacancy.configured();
    return error;
  }),
  packetOut: changing(({ packetOut }, { of, connection }) =>
    named(sendPacketOut(of.switch, of.bridge, packetOut, connection.version)),
  ),

  resume: changing(({ packetIn }, { of }) =>
    packetIn.continuation === null
      ? 'NXR_NOT_SUPPORTED'
      : named(resumePacket(of.switch, packetIn.continuation, packetIn.frame)),
  ),

  roleRequest: ({ role, generationId, form }, { of, connection, xid }) => {
    if (role !== 'noChange') {
      if (role !== 'equal' && generationId !== null && !of.elect(generationId)) {
        return 'OFPRRFC_STALE';
      }
      of.setRole(connection, role);
    }
    connection.reply(
      {
        kind: 'roleReply',
        role: connection.role,
        generationId: of.generationId,
        ...(form === undefined ? {} : { form }),
      },
      xid,
    );
    return null;
  },
  getAsyncRequest: (_, { connection, xid }) => {
    connection.reply({ kind: 'getAsyncReply', ...connection.async.config }, xid);
    return null;
  },
  setAsync: ({ primary, secondary }, { of, connection }) => {
    connection.async.set({ primary, secondary });
    // Who says what to hear wants to hear it.
    if (connection.kind === 'service' && connection.missSendLength === 0) {
      connection.missSendLength = 128;
    }
    of.changedWishes();
    return null;
  },

  setFlowFormat: ({ flowFormat }, { connection }) => {
    connection.flowFormat = flowFormat;
    return null;
  },
  flowModTableId: ({ enabled }, { connection }) => {
    connection.flowModTableId = enabled;
    return null;
  },
  setPacketInFormat: ({ packetInFormat }, { connection }) => {
    connection.packetInFormat = packetInFormat;
    return null;
  },
  setControllerId: ({ controllerId }, { connection }) => {
    connection.controllerId = controllerId;
    return null;
  },
  flowAge: () => null,
  // No connection is tracked yet: none is left behind.
  ctFlushZone: () => null,
  ctFlush: () => null,

  bundleControl: ({ bundleId, type, flags }, request) => {
    const { connection, xid, bytes } = request;
    if (connection.role === 'secondary') return 'OFPBRC_IS_SECONDARY';
    const { bundles } = connection;
    const done = (error: OfErrorName | null, reply: typeof type): OfErrorName | null => {
      if (error === null) {
        connection.reply(
          { kind: 'bundleControl', bundleId, type: reply, flags: 0, properties: NO_BYTES },
          xid,
        );
      }
      return error;
    };
    switch (type) {
      case 'openRequest':
        return done(bundles.open(bundleId, flags, bytes), 'openReply');
      case 'closeRequest':
        return done(bundles.close(bundleId, flags), 'closeReply');
      case 'commitRequest': {
        const bundle = bundles.take(bundleId, flags);
        if (typeof bundle === 'string') return bundle;
        const error = commitBundle(bundle, flags, request);
        request.of.flushMonitors();
        return done(error, 'commitReply');
      }
      case 'discardRequest':
        return done(bundles.discard(bundleId), 'discardReply');
      default:
        return 'OFPBFC_BAD_TYPE';
    }
  },
  bundleAdd: ({ bundleId, flags, bundled }, { connection, xid }) => {
    if (connection.role === 'secondary') return 'OFPBRC_IS_SECONDARY';
    const inner = decodeMessage(bundled, connection.context);
    if (!inner.ok) {
      const known = messageKind(bundled, connection.context) !== null;
      return known ? inner.error : 'OFPBFC_MSG_UNSUP';
    }
    const { message } = inner;
    if (!isBundlable(message)) return 'OFPBFC_MSG_UNSUP';
    // The switch's own table is refused at once, as by the original.
    if (message.kind === 'flowMod' && message.flowMod.tableId === TABLE_INTERNAL) {
      return 'OFPBRC_EPERM';
    }
    return connection.bundles.add(bundleId, flags, message, xid, bundled);
  },

  tlvTableMod: changing((message, { of }) => tlvTableMod(of.bridge, message)),
  tlvTableRequest: (_, { of, connection, xid }) => {
    const maps = of.bridge.tlvTable.maps();
    connection.reply(
      { kind: 'tlvTableReply', maxOptionSpace: TLV_SPACE_BYTES, maxFields: TLV_FIELDS, maps },
      xid,
    );
    return null;
  },

  flowMonitorCancel: ({ monitorId }, { connection }) => connection.monitors.cancel(monitorId),

  queueConfigRequest: ({ port }, { of, connection, xid }) => {
    const { bridge } = of;
    const one = port === null ? null : bridge.port(port);
    const ports = one !== null ? [one] : port === null ? [...bridge.ports()] : [];
    // Version 1.0 asks about one port.
    if (ports.length === 0 || (port === null && connection.version === OF10)) {
      return 'OFPQOFC_BAD_PORT';
    }
    const queues = ports.flatMap((each) =>
      of
        .queuesOf(each)
        .map(({ id }) => ({ port: each.ofPort, queue: id, minRate: null, maxRate: null })),
    );
    connection.reply({ kind: 'queueConfigReply', port, queues }, xid);
    return null;
  },

  ...MULTIPARTS,
};

const NO_BYTES = new Uint8Array(0);

/** Carries one message out, or keeps it as a part of a request; what is wrong with it is answered at once. */
export function handleMessage(of: OpenflowBridge, connection: Connection, bytes: Uint8Array): void {
  for (const decoded of connection.receive(bytes)) {
    if (decoded.ok) carryOut(decoded.message, { of, connection, xid: decoded.xid, bytes });
    else {
      // What a switch is not sent is not looked into.
      const kind = messageKind(bytes, connection.context);
      const error = kind === null || Object.hasOwn(HANDLERS, kind) ? decoded.error : unknown(kind);
      of.errorLog.info(`${connection.rconn.name}: received message that is no good: ${error}`);
      connection.error(error, bytes);
    }
  }
}

function carryOut(message: Message, request: Request): void {
  const { of, connection, bytes } = request;
  const handler = HANDLERS[message.kind] as
    | ((message: Message, request: Request) => OfErrorName | null)
    | undefined;
  if (ACTS.has(message.kind)) connection.rconn.act();
  const error = handler === undefined ? unknown(message.kind) : handler(message, request);
  if (error === null) return;
  of.errorLog.info(
    `${connection.rconn.name}: sending ${error} error reply to ${message.kind} message`,
  );
  connection.error(error, bytes);
}

/** What a controller does that is in charge. */
const ACTS: ReadonlySet<MessageKind> = new Set([
  'flowMod',
  'groupMod',
  'meterMod',
  'portMod',
  'tableMod',
  'packetOut',
  'bundleAdd',
  'resume',
]);

/** Messages that only switches send. */
const unknown = (kind: MessageKind): OfErrorName =>
  /Request$/.test(kind) ? 'OFPBRC_BAD_STAT' : 'OFPBRC_BAD_TYPE';
