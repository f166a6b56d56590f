/**
 * Several receive queues on one interface: packet sockets in a fanout group, among which the kernel divides frames by a hash of their
 * flow (packet(7), PACKET_FANOUT), the same for both directions.
 *
 * A socket receives everything between its binding and its joining the group. A filter that lets nothing pass stands before it for
 * that while, so that no frame comes twice.
 */
import { addressOf, getsockopt, setsockopt } from './libc.ts';
import {
  closeDevice,
  openPacketSocket,
  type PacketSocket,
  type PacketSocketOptions,
} from './packet-socket.ts';
import { check } from './system-error.ts';

const SOL_PACKET = 263;
const PACKET_FANOUT = 18;
const PACKET_FANOUT_HASH = 0;
/** The kernel chooses a group number that nobody has. */
const PACKET_FANOUT_FLAG_UNIQUEID = 0x2000;
/** The group's own PACKET_IGNORE_OUTGOING: that of its sockets has no effect. Without it each frame sent comes back as received. */
const PACKET_FANOUT_FLAG_IGNORE_OUTGOING = 0x4000;
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SO_DETACH_FILTER = 27;

/** BPF_RET | BPF_K, as code, jt, jf, k of a struct sock_filter: `return 0`. */
const RETURN_NOTHING = [0x06, 0, 0, 0, 0, 0, 0, 0];

/** Opens `count` queues, the further ones in `queues` of the first. Rejects with a SystemError that names the interface. */
export async function openPacketQueues(
  options: PacketSocketOptions,
  count: number,
): Promise<PacketSocket> {
  const first = await openPacketSocket(options);
  const queues: PacketSocket[] = [];
  try {
    let group = 0;
    if (count > 1) {
      join(first.fd, 0, PACKET_FANOUT_FLAG_UNIQUEID, options.name);
      group = groupOf(first.fd, options.name);
    }
    while (queues.length < count - 1) {
      const queue = await openPacketSocket({ ...options, beforeBind: receiveNothing });
      queues.push(queue);
      join(queue.fd, group, 0, options.name);
      detachFilter(queue.fd, options.name);
    }
  } catch (failure) {
    await closeDevice({ ...first, queues });
    throw failure;
  }
  return count > 1 ? { ...first, queues } : first;
}

function join(fd: number, group: number, flags: number, name: string): void {
  const argument = new Int32Array(new ArrayBuffer(4));
  argument[0] = group | ((PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_IGNORE_OUTGOING | flags) << 16);
  const at = addressOf(new Uint8Array(argument.buffer));
  check(setsockopt(fd, SOL_PACKET, PACKET_FANOUT, at, 4), 'PACKET_FANOUT', name);
}

function groupOf(fd: number, name: string): number {
  const memory = new Int32Array(new ArrayBuffer(8));
  memory[1] = 4;
  const at = addressOf(new Uint8Array(memory.buffer));
  check(getsockopt(fd, SOL_PACKET, PACKET_FANOUT, at, at + 4), 'PACKET_FANOUT', name);
  return memory[0] & 0xffff;
}

function receiveNothing(fd: number, name: string): void {
  const filter = new Uint8Array(new ArrayBuffer(RETURN_NOTHING.length));
  filter.set(RETURN_NOTHING);
  // struct sock_fprog: number of instructions (u16), their address at 8.
  const program = new DataView(new ArrayBuffer(16));
  program.setUint16(0, 1, true);
  program.setBigUint64(8, BigInt(addressOf(filter)), true);
  const at = addressOf(new Uint8Array(program.buffer));
  check(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, at, 16), 'SO_ATTACH_FILTER', name);
}

function detachFilter(fd: number, name: string): void {
  // The value is not read, but must be there.
  const at = addressOf(new Uint8Array(new ArrayBuffer(4)));
  check(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, at, 4), 'SO_DETACH_FILTER', name);
}
