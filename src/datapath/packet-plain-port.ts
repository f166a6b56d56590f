/**
 * The fallback for an AF_PACKET socket that could not get a ring: recvmmsg into private buffers, the stripped VLAN tag
 * from auxiliary data (packet(7), PACKET_AUXDATA), sendmmsg out.
 *
 * struct tpacket_auxdata, behind a 16-byte struct cmsghdr: status u32 @0, vlan_tci u16 @16, vlan_tpid u16 @18.
 */
import { errno, recvmmsg } from '../sys/libc.ts';
import { takePacketDrops, takeSocketError } from '../sys/packet-socket.ts';
import type { Region } from '../sys/region.ts';
import { BATCH_FRAMES, type Batch } from './batch.ts';
import type { PortNo, PortSpec } from './datapath.ts';
import type { DevicePort } from './device-port.ts';
import {
  CONTROL_BYTES,
  type FrameBuffers,
  MMSGHDR_BYTES,
  MSG_CONTROLLEN_AT,
  MSG_FLAGS_AT,
  MSG_LEN_AT,
} from './frame-buffers.ts';
import { SendQueue } from './send-queue.ts';
import {
  counterIndex,
  RX_BYTES,
  RX_DROPPED,
  RX_ERRORS,
  RX_MULTICAST,
  RX_PACKETS,
  type Shared,
} from './shared.ts';
import { readVnetHeader, restoreVlan, VNET_BYTES } from './vnet-header.ts';

const STATUS_VLAN_VALID = 0x10;
const STATUS_VLAN_TPID_VALID = 0x40;
const ETH_P_8021Q = 0x8100;
const CMSG_HEADER_BYTES = 16;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const EAGAIN = 11;

const DROP_OVERSIZED = counterIndex('drop_rx_oversized');
const VLAN_RESTORED = counterIndex('vlan_restored');

export class PacketPlainPort implements DevicePort {
  readonly portNo: PortNo;
  readonly name: string;
  readonly fd: number;
  mtu: number;
  readonly takesOffload = true;

  private readonly region: Region;
  private readonly view: DataView;
  private readonly buffers: FrameBuffers;
  private readonly queue: SendQueue;
  private readonly counters: Float64Array;
  private readonly stats: Float64Array;
  private readonly base: number;

  constructor(
    portNo: PortNo,
    name: string,
    spec: Extract<PortSpec, { kind: 'packet-plain' }>,
    region: Region,
    buffers: FrameBuffers,
    shared: Shared,
  ) {
    this.portNo = portNo;
    this.name = name;
    this.fd = spec.fd;
    this.mtu = spec.mtu;
    this.region = region;
    this.view = region.view;
    this.buffers = buffers;
    this.counters = shared.counters;
    this.stats = shared.ports;
    this.base = shared.portBase(portNo);
    this.queue = new SendQueue(spec.sendFd, region, shared, this.base);
  }

  receive(batch: Batch): number {
    const view = this.view;
    const { messages, controls } = this.buffers;
    const wanted = BATCH_FRAMES - batch.count;
    for (let i = 0; i < wanted; i++) {
      view.setUint32(messages + i * MMSGHDR_BYTES + MSG_CONTROLLEN_AT, CONTROL_BYTES, true);
    }
    const got = recvmmsg(this.fd, this.region.address + messages, wanted, MSG_DONTWAIT, 0);
    if (got < 0) {
      if (errno() !== EAGAIN) this.stats[this.base + RX_ERRORS]++;
      return 0;
    }
    const before = batch.count;
    let bytes = 0;
    let multicast = 0;
    for (let i = 0; i < got; i++) {
      const message = messages + i * MMSGHDR_BYTES;
      const length = view.getUint32(message + MSG_LEN_AT, true) - VNET_BYTES;
      if ((view.getUint32(message + MSG_FLAGS_AT, true) & MSG_TRUNC) !== 0 || length < 0) {
        this.counters[DROP_OVERSIZED]++;
        this.stats[this.base + RX_DROPPED]++;
        continue;
      }
      const start = this.buffers.frameAt(i);
      const p = batch.append(this.portNo, start, length, this.buffers.room);
      readVnetHeader(view, start - VNET_BYTES, batch, p);
      if (view.getUint32(message + MSG_CONTROLLEN_AT, true) > CMSG_HEADER_BYTES) {
        const auxdata = controls + i * CONTROL_BYTES + CMSG_HEADER_BYTES;
        const status = view.getUint32(auxdata, true);
        if ((status & STATUS_VLAN_VALID) !== 0) {
          const known = (status & STATUS_VLAN_TPID_VALID) !== 0;
          const tpid = known ? view.getUint16(auxdata + 18, true) : ETH_P_8021Q;
          restoreVlan(view, batch, p, tpid, view.getUint16(auxdata + 16, true));
          this.counters[VLAN_RESTORED]++;
        }
      }
      bytes += batch.length[p];
      multicast += view.getUint8(batch.start[p]) & 1;
    }
    this.stats[this.base + RX_PACKETS] += batch.count - before;
    this.stats[this.base + RX_BYTES] += bytes;
    this.stats[this.base + RX_MULTICAST] += multicast;
    return batch.count - before;
  }

  send(batch: Batch, p: number): void {
    this.queue.push(batch, p);
  }

  flush(): void {
    this.queue.flush();
  }

  release(): void {}

  close(): void {
    this.queue.close();
  }

  hasFrame(): boolean {
    return false;
  }

  onDeviceError(): boolean {
    takeSocketError(this.fd);
    return true;
  }

  collectDrops(): void {
    this.stats[this.base + RX_DROPPED] += takePacketDrops(this.fd);
  }
}
