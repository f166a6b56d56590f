/**
 * The tunnel types, one row each: what of the options they have, their UDP port, and the name of the one datapath port
 * that all tunnels of the type (and UDP port) share, as Open vSwitch's kernel datapath names it.
 */

export interface TunnelTypeRow {
  /** Default destination port of UDP; null for GRE and its kin. */
  readonly udpPort: number | null;
  /** Name of the datapath port; behind it stands the UDP port where there is one. */
  readonly portName: string;
  readonly hasChecksum: boolean;
  readonly hasSequence: boolean;
  /** What is inside: Ethernet frames, packets of layer 3, or both. */
  readonly carries: 'l2' | 'l3' | 'both';
  /** Frames really move; of other types a dummy datapath has the translation only. */
  readonly isReal: boolean;
}

export const TUNNEL_TYPES = {
  gre: row(null, 'gre_sys', { hasChecksum: true, hasSequence: true, carries: 'both' }),
  ip6gre: row(null, 'ip6gre_sys', { hasChecksum: true, hasSequence: true, carries: 'both' }),
  vxlan: row(4789, 'vxlan_sys', { hasChecksum: true }),
  geneve: row(6081, 'genev_sys', { hasChecksum: true, carries: 'both' }),
  erspan: row(null, 'erspan_sys', { isReal: false }),
  ip6erspan: row(null, 'ip6erspan_sys', { isReal: false }),
  gtpu: row(2152, 'gtpu_sys', { hasChecksum: true, carries: 'l3', isReal: false }),
  lisp: row(4341, 'lisp_sys', { carries: 'l3', isReal: false }),
  stt: row(7471, 'stt_sys', { isReal: false }),
  bareudp: row(0, 'udp_sys', { carries: 'l3', isReal: false }),
} as const satisfies Record<string, TunnelTypeRow>;

export type TunnelType = keyof typeof TUNNEL_TYPES;

export const isTunnelType = (type: string): type is TunnelType => Object.hasOwn(TUNNEL_TYPES, type);

function row(
  udpPort: number | null,
  portName: string,
  rest: Partial<TunnelTypeRow>,
): TunnelTypeRow {
  return {
    udpPort,
    portName,
    hasChecksum: false,
    hasSequence: false,
    carries: 'l2',
    isReal: true,
    ...rest,
  };
}
