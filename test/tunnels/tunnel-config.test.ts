/** Options of tunnels: Open vSwitch's words for what is wrong, and for what is set. */
import { describe, expect, test } from 'vitest';
import {
  parseTunnel,
  type TunnelConfig,
  tunnelConfigText,
  tunnelPortName,
} from '../../src/tunnels/tunnel-config.ts';

const parse = (type: string, options: Record<string, string>) => parseTunnel('t', type, options);
const error = (type: string, options: Record<string, string>): string => {
  const got = parse(type, options);
  return got.ok ? 'none' : got.error;
};
const config = (type: string, options: Record<string, string>): TunnelConfig => {
  const got = parse(type, options);
  if (!got.ok) throw new Error(got.error);
  return got.config;
};

describe('what cannot be', () => {
  test.each<[string, Record<string, string>, string]>([
    ['gre', {}, "t: gre type requires valid 'remote_ip' argument"],
    [
      'vxlan',
      { remote_ip: 'nonsense' },
      "t: bad vxlan 'remote_ip'\nt: vxlan type requires valid 'remote_ip' argument",
    ],
    ['geneve', { remote_ip: '224.0.0.1' }, 't: multicast remote_ip=224.0.0.1 not allowed'],
    [
      'vxlan',
      { remote_ip: '2001::1', local_ip: '1.1.1.1' },
      "t: 'remote_ip' and 'local_ip' has to be of the same address family",
    ],
    [
      'vxlan',
      { remote_ip: '1.2.3.4', local_ip: 'flow' },
      "t: vxlan type requires 'remote_ip=flow' with 'local_ip=flow'",
    ],
    [
      'vxlan',
      { remote_ip: '1.2.3.4', packet_type: 'legacy_l3' },
      't: legacy_l3 configured on VXLAN (without GPE) tunnel that cannot carry L3 traffic',
    ],
  ])('%s %o', (type, options, text) => {
    expect(error(type, options)).toBe(text);
  });
});

test('what makes no sense is passed over and said', () => {
  const got = parse('gre', { remote_ip: '1.2.3.4', tos: '0x83', foo: 'bar', exts: 'gbp' });
  expect(got.ok && got.warnings).toEqual([
    "t: unknown extension 'gbp'",
    "t: unknown gre argument 'foo'",
    't: invalid TOS 0x83',
  ]);
});

test.each<[string, Record<string, string>, string]>([
  ['gre', { remote_ip: '1.1.1.1' }, 'remote_ip=1.1.1.1'],
  [
    'gre',
    {
      remote_ip: '9.9.9.9',
      csum: 'true',
      seq: 'true',
      df_default: 'false',
      ttl: '5',
      tos: '4',
      in_key: 'flow',
      out_key: '7',
    },
    'csum=true, df_default=false, in_key=flow, out_key=7, remote_ip=9.9.9.9, seq=true, tos=0x4, ttl=5',
  ],
  ['geneve', { remote_ip: '1.1.1.77', ttl: '300' }, 'remote_ip=1.1.1.77, ttl=44'],
  [
    'vxlan',
    { remote_ip: 'flow', key: 'flow', dst_port: '8472' },
    'dst_port=8472, key=flow, remote_ip=flow',
  ],
  [
    'vxlan',
    { remote_ip: '2001::1', local_ip: '2001::2', key: '0x10' },
    'key=16, local_ip=2001::2, remote_ip=2001::1',
  ],
])('%s %o is shown as dpif/show shows it', (type, options, text) => {
  expect(tunnelConfigText(config(type, options))).toBe(text);
});

test('tunnels of a kind share a datapath port', () => {
  expect(tunnelPortName(config('vxlan', { remote_ip: '1.1.1.1' }))).toBe('vxlan_sys_4789');
  expect(tunnelPortName(config('vxlan', { remote_ip: '1.1.1.1', dst_port: '9' }))).toBe(
    'vxlan_sys_9',
  );
  expect(tunnelPortName(config('geneve', { remote_ip: 'flow' }))).toBe('genev_sys_6081');
  expect(tunnelPortName(config('gre', { remote_ip: 'flow', dst_port: '7' }))).toBe('gre_sys');
});
