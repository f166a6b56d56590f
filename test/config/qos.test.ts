/** From QoS and Queue rows to rates: the man page's defaults, limits and junk. */
import { describe, expect, test } from 'vitest';
import { desired } from '../../src/config/desired.ts';
import { qosInForce, queueDscp, type WantedQos, wantedQos } from '../../src/config/qos.ts';
import { database, strings, uuidOf } from './support/database.ts';

const DEVICE = { mtu: 1500, speedBps: null };
const shaped = (
  type: string,
  otherConfig: Record<string, string>,
  queues: Record<number, Record<string, string>> = {},
) => {
  const want: WantedQos = {
    type,
    otherConfig,
    queues: Object.entries(queues).map(([id, config]) => ({
      id: Number(id),
      dscp: null,
      otherConfig: config,
    })),
  };
  return qosInForce(want, DEVICE)?.config;
};

describe('QoS rows', () => {
  test('are read with their queues, ascending; a queue row that is gone is left out', () => {
    const db = database({
      QoS: {
        q: {
          type: 'linux-htb',
          queues: new Map([
            [7, uuidOf('q7')],
            [1, uuidOf('q1')],
            [2, uuidOf('gone')],
          ]),
          other_config: strings({ 'max-rate': '1000000' }),
        },
      },
      Queue: { q1: { dscp: 10 }, q7: { other_config: strings({ burst: '9' }) } },
    });
    const want = wantedQos(db, uuidOf('q'));
    expect(want).toEqual({
      type: 'linux-htb',
      otherConfig: { 'max-rate': '1000000' },
      queues: [
        { id: 1, dscp: 10, otherConfig: {} },
        { id: 7, dscp: null, otherConfig: { burst: '9' } },
      ],
    });
    expect([...queueDscp(want)]).toEqual([[1, 10]]);
    expect(wantedQos(db, uuidOf('nobody'))).toBeNull();
    expect(wantedQos(db, null)).toBeNull();
  });

  test.each([
    ['egress-policer', 1],
    ['linux-htb', 0],
    ['', 0],
  ])('of type "%s" cause %i complaints', (type, count) => {
    const rows = database({
      Open_vSwitch: { root: { bridges: [uuidOf('br0')] } },
      Bridge: { br0: { name: 'br0', ports: [uuidOf('port-p1')] } },
      Port: { 'port-p1': { name: 'p1', interfaces: [uuidOf('if-p1')], qos: uuidOf('q') } },
      Interface: { 'if-p1': { name: 'p1' } },
      QoS: { q: { type } },
    });
    const { errors } = desired(rows, {
      interfaceTypes: ['system', 'internal'],
      datapathTypes: ['system'],
      dummy: 'off',
      processorCount: 1,
    });
    expect(errors.filter(({ message }) => message.includes('QoS type'))).toHaveLength(count);
  });
});

describe('rates', () => {
  test('queue 0 is there without a row', () => {
    expect(shaped('linux-htb', {}, { 3: { 'min-rate': '5000000' } })).toEqual({
      kind: 'htb',
      maxRate: 10_000_000_000,
      burstBits: 12_512,
      queues: [
        { id: 0, minRate: 12_000, maxRate: 10e9, burstBits: 12_512, priority: 0 },
        { id: 3, minRate: 5_000_000, maxRate: 10e9, burstBits: 12_512, priority: 0 },
      ],
    });
  });

  test.each([
    [{ 'min-rate': '0' }, 12_000, 1e9],
    [{ 'min-rate': '-5', 'max-rate': 'fast' }, 12_000, 1e9],
    [{ 'min-rate': '5000000000', 'max-rate': '6000000000' }, 1e9, 1e9],
    [{ 'min-rate': '300000', 'max-rate': '200000' }, 300_000, 300_000],
    [{ 'max-rate': '99999999999999999999' }, 12_000, 1e9],
    [{ 'min-rate': '9'.repeat(400) }, 12_000, 1e9],
  ])('%j stays between a packet a second and the rate of the port', (options, min, max) => {
    const config = shaped('linux-htb', { 'max-rate': '1000000000' }, { 0: options });
    expect(config).toMatchObject({ queues: [{ minRate: min, maxRate: max }] });
  });

  test('queues of numbers that the type does not have are passed over', () => {
    expect(shaped('linux-htb', {}, { 0: {}, 61439: {}, 61440: {}, 4294967295: {} })).toMatchObject({
      queues: [{ id: 0 }, { id: 61_439 }],
    });
  });

  test('there are no more queues than a port can have', () => {
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, id) => [id, {}]));
    const config = shaped('linux-htb', {}, many);
    expect(config?.kind === 'htb' && config.queues.length).toBe(1024);
  });

  test('every number that reaches the datapath is finite', () => {
    const junk = { 'max-rate': '9'.repeat(400), 'min-rate': '9'.repeat(20), burst: '8'.repeat(20) };
    for (const type of ['linux-htb', 'linux-hfsc', 'linux-netem']) {
      const options = { ...junk, latency: '9'.repeat(20), limit: '9'.repeat(20), loss: '9' };
      const config = shaped(type, options, { 0: { ...junk, priority: '9'.repeat(20) } });
      expect(JSON.stringify(config)).not.toContain('null');
    }
  });

  test('hfsc has no bursts and priorities', () => {
    expect(shaped('linux-hfsc', {}, { 0: { burst: '99999', priority: '4' } })).toMatchObject({
      queues: [{ minRate: 8, burstBits: 12_512, priority: 0 }],
    });
  });

  test('netem: microseconds, packets and percent', () => {
    expect(shaped('linux-netem', { latency: '1500', loss: '250', limit: '0' })).toEqual({
      kind: 'netem',
      latencyMs: 1.5,
      limitPackets: 1000,
      loss: 1,
    });
  });

  test('types that let frames pass', () => {
    for (const type of ['linux-sfq', 'linux-codel', 'linux-fq_codel']) {
      expect(shaped(type, {})).toBeNull();
    }
    expect(shaped('linux-noop', {})).toBeUndefined();
  });
});
