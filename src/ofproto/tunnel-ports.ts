/**
 * Which tunnel port a frame from a datapath port of tunnels belongs to.
 *
 * All tunnels of one kind share a datapath port. A table for each way in which ports may be matched, exact ones first, as in
 * Open vSwitch (ovs-vswitchd.conf.db(5), options:remote_ip): a port with the frame's key before one with key=flow, one with the
 * frame's source as its remote_ip before remote_ip=flow, one with its destination as local_ip before one without and that
 * before local_ip=flow.
 */
import * as K from '../packet/key.ts';
import type { Address, TunnelConfig } from '../tunnels/tunnel-config.ts';
import type { TunnelType } from '../tunnels/tunnel-types.ts';
import { TunnelFlag } from '../tunnels/tunnel-words.ts';
import type { BridgePort } from './bridge-port.ts';

/** A datapath port that tunnels share. */
export interface TunnelDatapathPort {
  readonly name: string;
  readonly type: TunnelType;
  /** UDP port; 0 without one. */
  readonly dstPort: number;
  /** VXLAN with group policy. */
  readonly gbp: boolean;
  /** Tunnels that use it. */
  users: number;
}

/** How the two addresses and the key of a port are matched: the order is the order of search. */
const WAYS = 12;
const LOCAL_EXACT = 0;
const LOCAL_ANY = 1;
const LOCAL_FLOW = 2;

export class TunnelPorts {
  private readonly tables: (Map<string, BridgePort> | null)[] = new Array(WAYS).fill(null);
  private readonly backings = new Set<number>();

  /** Returns the port that is matched the same way already, and then adds nothing; null when there is none. */
  add(port: BridgePort, config: TunnelConfig, portNo: number): BridgePort | null {
    const other = this.same(config, portNo);
    if (other !== null) return other;
    this.backings.add(portNo);
    const way = wayOf(config);
    this.tables[way] ??= new Map();
    this.tables[way]?.set(keyOf(config, portNo), port);
    return null;
  }

  /** The port that takes the frames that one of this configuration would. */
  same(config: TunnelConfig, portNo: number): BridgePort | null {
    return this.tables[wayOf(config)]?.get(keyOf(config, portNo)) ?? null;
  }

  /** True for a datapath port that tunnels share. */
  isBacking(portNo: number): boolean {
    return this.backings.has(portNo);
  }

  /** The port for a frame with this key; null when no tunnel has its addresses and key. */
  receive(key: Uint32Array): BridgePort | null {
    const portNo = key[K.IN_PORT];
    const tunId = (BigInt(key[K.TUN_ID]) << 32n) | BigInt(key[K.TUN_ID + 1]);
    const from = text(endOf(key, K.TUN_SRC, K.TUN_IPV6_SRC));
    const to = text(endOf(key, K.TUN_DST, K.TUN_IPV6_DST));
    const isBare = ((key[K.TUN_FLAGS] >>> 16) & TunnelFlag.BARE) !== 0;
    const layer = isBare || key[K.PACKET_TYPE] >>> 16 === 1 ? 'legacy_l3' : 'legacy_l2';
    for (let way = 0; way < WAYS; way++) {
      const table = this.tables[way];
      if (table === null) continue;
      const local = way % 3;
      const remote = ((way / 3) & 1) === 0 ? from : '';
      const inKey = way < 6 ? tunId : 0n;
      const head = `${portNo}|${inKey}|${local === LOCAL_EXACT ? to : ''}|${remote}|`;
      const port = table.get(head + layer) ?? table.get(`${head}ptap`);
      if (port !== undefined) return port;
    }
    return null;
  }
}

const wayOf = ({ inKey, remote, local }: TunnelConfig): number =>
  (inKey.flow ? 6 : 0) +
  (remote === 'flow' ? 3 : 0) +
  (local === null ? LOCAL_ANY : local === 'flow' ? LOCAL_FLOW : LOCAL_EXACT);

const text = (address: ArrayLike<number>): string =>
  `${address[0]}.${address[1]}.${address[2]}.${address[3]}`;

const keyOf = ({ inKey, remote, local, packetType }: TunnelConfig, portNo: number): string =>
  `${portNo}|${inKey.flow ? 0n : inKey.value}|${local === null || local === 'flow' ? '' : text(local)}` +
  `|${remote === 'flow' ? '' : text(remote)}|${packetType}`;

/** An outer address of a frame, IPv4 as ::ffff:a.b.c.d. */
function endOf(key: ArrayLike<number>, ipv4: number, ipv6: number): Address {
  if (key[ipv4] !== 0) return [0, 0, 0xffff, key[ipv4]];
  return [key[ipv6], key[ipv6 + 1], key[ipv6 + 2], key[ipv6 + 3]];
}
