/**
 * QoS and Queue rows: what they ask for, and what is made of it for a device (ovs-vswitchd.conf.db(5), QoS and Queue). Pure.
 *
 * Numbers are put right as Open vSwitch does it before it tells the kernel, since qos/show prints them: a queue has at least a packet
 * a second and at most what its port has, and a burst holds at least a frame.
 */
import type { QosConfig, QueueConfig } from '../datapath/qos.ts';
import type { Database } from '../ovsdb/replica.ts';
import { clamp, stringMap, text } from './config-value.ts';
import type { StringMap } from './wanted.ts';

/** A QoS row with the Queue rows that it names. */
export interface WantedQos {
  readonly type: string;
  readonly otherConfig: StringMap;
  /** Ascending. */
  readonly queues: readonly WantedQueue[];
}

interface WantedQueue {
  readonly id: number;
  readonly dscp: number | null;
  readonly otherConfig: StringMap;
}

/** Keys and values as qos/show prints them, in its order. */
type Details = readonly (readonly [string, number])[];

/** QoS as it is in force on a device. */
export interface RunningQos {
  readonly type: string;
  readonly details: Details;
  /** Ascending; none for types without queues. */
  readonly queues: readonly { readonly id: number; readonly details: Details }[];
  /** Null when frames pass as ever. */
  readonly config: QosConfig | null;
}

/** What rates depend on. */
export interface QosDevice {
  readonly mtu: number;
  readonly speedBps: number | null;
}

/** For a device whose speed nobody knows, bit/s. */
const DEFAULT_SPEED = 10_000_000_000;
/** Queues of htb and hfsc. */
const MAX_QUEUE_ID = 0xf000;
/** Queues of one port; more have no memory for their frames anyhow. Frames for others leave by queue 0. */
export const MAX_QUEUES = 1024;
/** Room for headers in front of the MTU. */
const FRAME_OVER_MTU = 64;

/** Null without a QoS row. */
export function wantedQos(db: Database, uuid: string | null): WantedQos | null {
  const row = uuid === null ? undefined : db.row('QoS', uuid);
  if (row === undefined) return null;
  const queues: WantedQueue[] = [];
  for (const [id, queue] of row.queues) {
    const found = db.row('Queue', queue);
    if (found === undefined) continue;
    queues.push({ id, dscp: found.dscp, otherConfig: stringMap(found.other_config) });
  }
  queues.sort((a, b) => a.id - b.id);
  return { type: row.type, otherConfig: stringMap(row.other_config), queues };
}

/** The DSCP that frames of a queue are marked with, by queue. */
export const queueDscp = (want: WantedQos | null): ReadonlyMap<number, number> =>
  new Map((want?.queues ?? []).flatMap(({ id, dscp }) => (dscp === null ? [] : [[id, dscp]])));

/** The types for real devices, in the order in which Open vSwitch lists them. */
export const QOS_TYPES = [
  'linux-netem',
  'linux-fq_codel',
  'linux-codel',
  'linux-hfsc',
  'linux-noop',
  'linux-sfq',
  'linux-htb',
] as const;

type QosType = (typeof QOS_TYPES)[number];

export const isQosType = (type: string): type is QosType =>
  (QOS_TYPES as readonly string[]).includes(type);

const MAKERS: Record<QosType, (want: WantedQos, device: QosDevice) => RunningQos | null> = {
  'linux-htb': (want, device) => rated(want, device, htbQueue),
  'linux-hfsc': (want, device) => rated(want, device, hfscQueue),
  'linux-noop': () => null,
  'linux-netem': netem,
  // These reorder a backlog, of which there is none here (ADR 11).
  'linux-sfq': (want, { mtu }) => passing(want, { quantum: mtu, perturb: 10 }),
  'linux-codel': (want) => passing(want, { interval: 100_000, target: 5000, limit: 10_240 }),
  'linux-fq_codel': (want) =>
    passing(want, {
      interval: 100_000,
      quantum: 1514,
      target: 5000,
      limit: 10_240,
      flows: 1024,
    }),
};

/** Null for no QoS: none wanted, or none to be had of this type. */
export function qosInForce(want: WantedQos | null, device: QosDevice): RunningQos | null {
  return want !== null && isQosType(want.type) ? MAKERS[want.type](want, device) : null;
}

interface QueueInForce {
  readonly details: Details;
  readonly config: QueueConfig;
}

type QueueMaker = (
  id: number,
  options: StringMap,
  portRate: number,
  device: QosDevice,
) => QueueInForce;

function rated(want: WantedQos, device: QosDevice, make: QueueMaker): RunningQos {
  const maxRate = bytesOf(want.otherConfig, 'max-rate') || (device.speedBps ?? DEFAULT_SPEED);
  const rows = want.queues.slice(0, MAX_QUEUES).filter(({ id }) => id < MAX_QUEUE_ID);
  const queues = (rows.some(({ id }) => id === 0) ? [] : [{ id: 0, otherConfig: {} }]).concat(rows);
  const made = queues.map(({ id, otherConfig }) => make(id, otherConfig, maxRate, device));
  return {
    type: want.type,
    details: [['max-rate', maxRate]],
    queues: made.map(({ config, details }) => ({ id: config.id, details })),
    config: {
      kind: 'htb',
      maxRate,
      burstBits: frameBits(device),
      queues: made.map(({ config }) => config),
    },
  };
}

function htbQueue(
  id: number,
  options: StringMap,
  portRate: number,
  device: QosDevice,
): QueueInForce {
  const minRate = Math.min(Math.max(bytesOf(options, 'min-rate'), device.mtu * 8), portRate);
  const maxRate = clamp(bytesOf(options, 'max-rate') || portRate, minRate, portRate);
  const burstBits = Math.max(bytesOf(options, 'burst'), frameBits(device));
  const priority = number(options, 'priority');
  return {
    details: [
      ['burst', burstBits],
      ...(priority === 0 ? [] : [['priority', priority] as const]),
      ['min-rate', minRate],
      ...(maxRate === minRate ? [] : [['max-rate', maxRate] as const]),
    ],
    config: { id, minRate, maxRate, burstBits, priority },
  };
}

function hfscQueue(
  id: number,
  options: StringMap,
  portRate: number,
  device: QosDevice,
): QueueInForce {
  const minRate = Math.min(Math.max(bytesOf(options, 'min-rate'), 8), portRate);
  const maxRate = clamp(bytesOf(options, 'max-rate') || portRate, minRate, portRate);
  return {
    details: [
      ['min-rate', minRate],
      ...(maxRate === minRate ? [] : [['max-rate', maxRate] as const]),
    ],
    config: { id, minRate, maxRate, burstBits: frameBits(device), priority: 0 },
  };
}

function netem({ type, otherConfig }: WantedQos): RunningQos {
  const latencyUs = Math.min(number(otherConfig, 'latency'), 0xffffffff);
  const limitPackets = number(otherConfig, 'limit') || 1000;
  const loss = Math.min(number(otherConfig, 'loss'), 100);
  return {
    type,
    details: [
      ['latency', latencyUs],
      ['limit', limitPackets],
      ['loss', loss],
    ],
    queues: [],
    config: { kind: 'netem', latencyMs: latencyUs / 1000, limitPackets, loss: loss / 100 },
  };
}

function passing(
  { type, otherConfig }: WantedQos,
  defaults: Readonly<Record<string, number>>,
): RunningQos {
  const details = Object.entries(defaults).map(
    ([key, otherwise]) => [key, number(otherConfig, key) || otherwise] as const,
  );
  return { type, details, queues: [], config: null };
}

const frameBits = ({ mtu }: QosDevice): number => (mtu + FRAME_OVER_MTU) * 8;

/** A decimal number of 64 bits, 0 for none or junk. */
function number(options: StringMap, key: string): number {
  const found = text(options, key);
  return found !== null && /^\s*\+?\d{1,20}$/.test(found) ? Number(found) : 0;
}

/** Bits in whole bytes, as the kernel is told of them. */
const bytesOf = (options: StringMap, key: string): number =>
  Math.floor(number(options, key) / 8) * 8;
