/**
 * Statistics and descriptions: multipart requests (OpenFlow 1.3.5, 7.3.5) and their replies. A kind that a version has and the switch does
 * not is answered with OFPBRC_BAD_STAT by handlers.ts.
 */
import type { OfPort } from '../../flowtable/of-port.ts';
import { OFPP_ALL, OFPP_LOCAL } from '../../flowtable/of-port.ts';
import type { BridgePort } from '../bridge-port.ts';
import type { OfErrorName } from '../codec/errors.ts';
import type { FlowUpdate } from '../codec/flow-monitor.ts';
import type { MessageForm, Multipart } from '../codec/messages.ts';
import { OF10, OF14 } from '../codec/versions.ts';
import { OFPTT_ALL } from '../model.ts';
import { chosen, outputsTo } from '../tables/flow-mods.ts';
import { aggregateStats, flowStats, tableStats } from '../tables/flow-stats.ts';
import { TABLE_COUNT } from '../tables/flow-table.ts';
import { groupReferences } from '../tables/groups.ts';
import { meterReferences } from '../tables/meters.ts';
import { describePorts } from '../tables/ports.ts';
import type { Handlers, Request } from './handlers.ts';
import { portStatistics } from './port-statistics.ts';
import { actionBits, describeTable, tableAbilities, tableFeaturesOf } from './table-abilities.ts';
import { applyTableFeatures } from './table-mod.ts';

const MAX_METERS = 262_144;
const MAX_BANDS = 8;
/** drop 1, dscp_remark 2. */
const BAND_TYPES = (1 << 1) | (1 << 2);
/** kbps, pktps, burst, stats. */
const METER_CAPABILITIES = 0xf;
const MAX_GROUPS = 0xffff_ff00;
/** all, select, indirect, fast failover. */
const GROUP_TYPES = 0xf;
/** select_weight, select_liveness, chaining. */
const GROUP_CAPABILITIES = 0x7;
const FOUR = [0, 1, 2, 3];

function answer({ of, connection, xid }: Request, message: Multipart): null {
  connection.replyParts(message, xid, of.sayLeftOut);
  return null;
}

/** The ports that a request names, the local one first. */
function portsOf({ of, connection }: Request, port: OfPort | null): BridgePort[] | null {
  // Queue requests of 1.0 say ALL.
  if (port !== null && (port !== OFPP_ALL || connection.version > OF10)) {
    const one = of.bridge.port(port);
    return one === null ? null : [one];
  }
  const rank = (p: BridgePort): number => (p.ofPort === OFPP_LOCAL ? -1 : p.ofPort);
  return [...of.bridge.ports()].sort((a, b) => rank(a) - rank(b));
}

export const MULTIPARTS: Handlers = {
  descRequest: (_, { of, connection, xid }) => {
    connection.reply({ kind: 'descReply', ...of.description() }, xid);
    return null;
  },

  flowStatsRequest: ({ filter, form }, request) => {
    request.of.switch.revalidator.pushAllStats();
    const entries = flowStats(request.of.bridge, filter);
    return answer(request, { kind: 'flowStatsReply', entries, ...formOf(form) });
  },
  aggregateRequest: ({ filter, form }, { of, connection, xid }) => {
    of.switch.revalidator.pushAllStats();
    const sums = aggregateStats(of.bridge, filter);
    connection.reply({ kind: 'aggregateReply', ...sums, ...formOf(form) }, xid);
    return null;
  },

  tableStatsRequest: (_, request) => {
    const { version } = request.connection;
    const entries = tableStats(request.of.bridge).map((table) => ({
      tableId: table.tableId,
      active: table.activeFlows,
      lookups: table.lookups,
      matched: table.matched,
      ...tableAbilities(request.of.bridge.tables[table.tableId], version),
    }));
    return answer(request, { kind: 'tableStatsReply', entries });
  },
  tableFeaturesRequest: ({ entries: wanted }, request) => {
    if (wanted.length > 0) {
      if (request.connection.role === 'secondary') return 'OFPBRC_IS_SECONDARY';
      const error = applyTableFeatures(request.of.bridge, wanted, request.connection.version);
      if (error !== null) return error;
    }
    const entries = request.of.bridge.tables
      .slice(0, TABLE_COUNT)
      .map((table) => tableFeaturesOf(table, request.connection.version));
    return answer(request, { kind: 'tableFeaturesReply', entries });
  },
  tableDescRequest: (_, request) => {
    const entries = request.of.bridge.tables.slice(0, TABLE_COUNT).map(describeTable);
    return answer(request, { kind: 'tableDescReply', entries });
  },

  // Nothing is exported yet.
  ipfixBridgeRequest: () => 'NXST_NOT_CONFIGURED',
  ipfixFlowRequest: () => 'NXST_NOT_CONFIGURED',

  portStatsRequest: ({ port }, request) => {
    const ports = portsOf(request, port) ?? [];
    const entries = ports.map((one) => portStatistics(one, request.of));
    return answer(request, { kind: 'portStatsReply', entries });
  },
  portDescRequest: ({ port }, request) => {
    const all = describePorts(request.of.bridge);
    const entries = port === null ? all : all.filter((one) => one.port === port);
    return answer(request, { kind: 'portDescReply', entries });
  },

  queueStatsRequest: ({ port, queue }, request) => {
    const ports = portsOf(request, port);
    if (ports === null) return 'OFPQOFC_BAD_PORT';
    const entries = queuesOf(request, ports, queue).map(({ port, queue }) => ({
      port,
      queue: queue.id,
      txBytes: big(queue.txBytes),
      txPackets: big(queue.txPackets),
      txErrors: big(queue.txErrors),
      durationMs: queue.durationMs,
    }));
    // One port was asked for a queue that it lacks.
    if (entries.length === 0 && queue !== null) return 'OFPQOFC_BAD_QUEUE';
    return answer(request, { kind: 'queueStatsReply', entries });
  },
  queueDescRequest: ({ port, queue }, request) => {
    const ports = portsOf(request, port);
    if (ports === null) return 'OFPQOFC_BAD_PORT';
    // As in the original, whatever rates they have.
    const entries = queuesOf(request, ports, queue).map(({ port, queue }) => ({
      port,
      queue: queue.id,
      minRate: null,
      maxRate: null,
    }));
    if (entries.length === 0 && queue !== null) return 'OFPQOFC_BAD_QUEUE';
    return answer(request, { kind: 'queueDescReply', entries });
  },

  groupStatsRequest: ({ groupId, form }, request) => {
    const { bridge } = request.of;
    const now = bridge.clock.now();
    const entries = groupsOf(request, groupId).map((group) => ({
      groupId: group.id,
      references: groupReferences(bridge, group.id),
      packets: BigInt(group.stats.packets),
      bytes: BigInt(group.stats.bytes),
      durationMs: now - group.createdMs,
      buckets: group.buckets.map(({ stats }) => ({
        packets: BigInt(stats.packets),
        bytes: BigInt(stats.bytes),
      })),
    }));
    return answer(request, { kind: 'groupStatsReply', entries, ...formOf(form) });
  },
  groupDescRequest: ({ groupId, form }, request) => {
    const entries = groupsOf(request, groupId).map((group) => ({
      groupId: group.id,
      type: group.type,
      buckets: group.buckets,
      selection: group.selection,
    }));
    return answer(request, { kind: 'groupDescReply', entries, ...formOf(form) });
  },
  groupFeaturesRequest: ({ form }, { connection, xid }) => {
    connection.reply(
      {
        kind: 'groupFeaturesReply',
        types: GROUP_TYPES,
        capabilities: GROUP_CAPABILITIES,
        maxGroups: FOUR.map(() => MAX_GROUPS),
        actions: FOUR.map(() => actionBits(connection.version)),
        ...formOf(form),
      },
      xid,
    );
    return null;
  },

  meterStatsRequest: ({ meterId }, request) => {
    const meters = metersOf(request, meterId);
    if (typeof meters === 'string') return meters;
    const { bridge } = request.of;
    const now = bridge.clock.now();
    const entries = meters.map((meter) => {
      const stats = bridge.meters.stats(meter);
      return {
        meterId: meter.id,
        flows: meterReferences(bridge, meter.id),
        packetsIn: BigInt(stats.packets),
        bytesIn: BigInt(stats.bytes),
        durationMs: now - meter.createdMs,
        bands: meter.bands.map((_, i) => ({
          packets: BigInt(stats.bandPackets[i] ?? 0),
          bytes: BigInt(stats.bandBytes[i] ?? 0),
        })),
      };
    });
    return answer(request, { kind: 'meterStatsReply', entries });
  },
  meterConfigRequest: ({ meterId }, request) => {
    const meters = metersOf(request, meterId);
    if (typeof meters === 'string') return meters;
    const entries = meters.map(({ id, flags, bands }) => ({ meterId: id, flags, bands }));
    return answer(request, { kind: 'meterConfigReply', entries });
  },
  meterFeaturesRequest: (_, { connection, xid }) => {
    connection.reply(
      {
        kind: 'meterFeaturesReply',
        maxMeters: MAX_METERS,
        bandTypes: BAND_TYPES,
        capabilities: METER_CAPABILITIES,
        maxBands: MAX_BANDS,
        maxColor: 0,
      },
      xid,
    );
    return null;
  },

  flowMonitorRequest: ({ entries }, request) => {
    const { connection, of } = request;
    const { monitors } = connection;
    const initial: FlowUpdate[] = [];
    const added: number[] = [];
    for (const monitor of entries) {
      let error: OfErrorName | null = null;
      if (monitor.tableId !== OFPTT_ALL && of.bridge.tables[monitor.tableId] === undefined) {
        error = connection.version >= OF14 ? 'OFPMOFC_BAD_TABLE_ID' : 'OFPBRC_BAD_TABLE_ID';
      }
      error ??= monitors.change(monitor);
      if (error !== null) {
        for (const id of added) monitors.cancel(id);
        return error;
      }
      if (monitor.command === 'add') added.push(monitor.monitorId);
      if (monitor.command === 'delete' || !monitor.flags.initial) continue;
      const { outPort, outGroup, tableId, match } = monitor;
      const choice = { tableId, match, cookie: 0n, cookieMask: 0n, outPort: null, outGroup };
      const rules = chosen(of.bridge, choice, false, true).filter(
        (rule) => outPort === null || outputsTo(rule.actions, outPort),
      );
      initial.push(...monitors.initial(monitor, rules));
    }
    monitors.send(initial, request.xid);
    return null;
  },
};

const formOf = (form: MessageForm | undefined): { form?: MessageForm } =>
  form === undefined ? {} : { form };

function groupsOf({ of }: Request, id: number | null) {
  if (id === null) return of.bridge.groups.all();
  const group = of.bridge.groups.find(id);
  return group === null ? [] : [group];
}

function metersOf({ of }: Request, id: number | null) {
  if (id === null) return of.bridge.meters.all();
  const meter = of.bridge.meters.find(id);
  return meter === null ? ('OFPMMFC_UNKNOWN_METER' as const) : [meter];
}

function queuesOf({ of }: Request, ports: readonly BridgePort[], queue: number | null) {
  return ports.flatMap((port) =>
    of
      .queuesOf(port)
      .filter(({ id }) => queue === null || id === queue)
      .map((queue) => ({ port: port.ofPort, queue })),
  );
}

const big = (count: number | null): bigint | null => (count === null ? null : BigInt(count));
