/**
 * The portable TunnelTransport, main thread's side: relayed packets (relay-tunnel-port.ts) through what Node has everywhere, `dgram`
 * for tunnels over UDP and the optional package raw-socket for GRE.
 *
 * What these cannot do is not done: no TOS, DF or mark of its own for a packet, no answer to what is too long (the kernel fragments),
 * TOS and TTL of received UDP packets read as 0. Which address of ours a UDP packet came to is not told either: it is the one that
 * the kernel would answer from, found by connecting a socket to the sender.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { RawSocket } from 'raw-socket';
import { formatAddress, isIpv4, parseAddress } from '../tunnels/tunnel-config.ts';
import type { DropReason } from './drop-reason.ts';
import { RELAY, RELAY_BYTES } from './relay-tunnel-port.ts';
import { SOURCE_PORTS, type TunnelSpec } from './tunnel-transport.ts';

const IPPROTO_GRE = 47;
const MAX_PACKET_BYTES = 65_535;
const IPV4_MIN_BYTES = 20;
/** Bytes and packets that may wait in a socket. */
const MAX_QUEUED_BYTES = 4 << 20;
const MAX_QUEUED_PACKETS = 1024;
/** Sockets to send by: of each family, source address and source port. */
const MAX_SENDERS = 512;
const RECEIVE_BUFFER_BYTES = 4 << 20;
/** Far ends whose way back is remembered; and how many packets of one wait for it to be found. */
const MAX_REMOTES = 1024;
const MAX_HELD = 32;
/** Far ends whose way back is being looked for at one time: a socket each. */
const MAX_PROBES = 16;
/** How long it is believed. */
const REMOTE_MS = 10_000;
const DISCARD_PORT = 9;

type Family = 4 | 6;

export interface PortableHooks {
  /** A relayed packet; to be copied. */
  packet(relayed: Uint8Array): void;
  /** A packet to send was not sent. */
  dropped(reason: DropReason): void;
  /** Milliseconds. */
  now(): number;
}

interface Remote {
  /** Our address towards it; null while it is not known. */
  local: Uint32Array | null;
  untilMs: number;
  held: Uint8Array[];
}

/** Reasons of failed sends that have counters of their own. */
const REASONS: Readonly<Record<string, DropReason>> = {
  EMSGSIZE: 'drop_tunnel_mtu_exceeded',
  ENETUNREACH: 'drop_tunnel_no_route',
  EHOSTUNREACH: 'drop_tunnel_no_route',
  EAGAIN: 'drop_tx_queue_full',
  ENOBUFS: 'drop_tx_queue_full',
};

/** The words of an address in text: one for IPv4. */
function wordsOf(text: string): Uint32Array {
  const address = parseAddress(text.replace(/%.*$/, ''));
  if (address === undefined) return new Uint32Array(0);
  return Uint32Array.from(isIpv4(address) ? address.slice(3) : address);
}

const textOf4 = (word: number): string =>
  `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;

const textOf6 = (words: Uint32Array, at: number): string =>
  formatAddress([words[at], words[at + 1], words[at + 2], words[at + 3]]);

/** Sockets look no names up: what they are given is an address. */
const socketOf = (family: Family, reuseAddr: boolean): Socket =>
  createSocket({
    type: family === 4 ? 'udp4' : 'udp6',
    ipv6Only: family === 6,
    reuseAddr,
    lookup: (address, _options, done) => done(null, address, family),
  }).unref();

export class PortableSockets {
  private readonly spec: TunnelSpec;
  private readonly hooks: PortableHooks;
  private readonly receivers: { close(): void }[] = [];
  private readonly senders = new Map<string, Socket>();
  private readonly raw = new Map<Family, RawSocket>();
  private rawQueued = 0;
  private readonly remotes = new Map<string, Remote>();
  private probes = 0;

  private constructor(spec: TunnelSpec, hooks: PortableHooks) {
    this.spec = spec;
    this.hooks = hooks;
  }

  /** Rejects with an Error that says what is in the way. */
  static async open(spec: TunnelSpec, hooks: PortableHooks): Promise<PortableSockets> {
    const sockets = new PortableSockets(spec, hooks);
    for (const family of spec.families) {
      try {
        if (spec.udpPort === 0) await sockets.openRaw(family);
        else await sockets.openUdp(family);
      } catch (failure) {
        // A machine without IPv6 has tunnels over IPv4 all the same.
        if (family === 6 && sockets.receivers.length > 0) continue;
        sockets.close();
        throw failure;
      }
    }
    return sockets;
  }

  /** Sends a relayed packet. */
  send(relayed: Uint8Array): void {
    const words = new Uint32Array(relayed.buffer, relayed.byteOffset, RELAY.WORDS);
    const isFour = words[RELAY.DST] !== 0;
    const remote = isFour ? textOf4(words[RELAY.DST]) : textOf6(words, RELAY.IPV6_DST);
    const packet = Buffer.from(
      relayed.buffer,
      relayed.byteOffset + RELAY_BYTES,
      relayed.length - RELAY_BYTES,
    );
    if (this.spec.udpPort === 0) {
      this.sendRaw(isFour ? 4 : 6, packet, remote);
      return;
    }
    const socket = this.senderFor(words, isFour);
    if (socket === null || socket.getSendQueueSize() > MAX_QUEUED_BYTES) {
      this.hooks.dropped('drop_tx_queue_full');
      return;
    }
    socket.send(packet, words[RELAY.TP] & 0xffff, remote, (failure) => this.onSent(failure));
  }

  close(): void {
    for (const socket of this.receivers) socket.close();
    for (const socket of this.senders.values()) socket.close();
    this.receivers.length = 0;
    this.senders.clear();
    this.raw.clear();
    this.remotes.clear();
  }

  private onSent(failure: Error | null): void {
    if (failure === null) return;
    this.hooks.dropped(REASONS[(failure as NodeJS.ErrnoException).code ?? ''] ?? 'drop_tx_error');
  }

  private openUdp(family: Family): Promise<void> {
    const socket = socketOf(family, false);
    const { udpPort } = this.spec;
    return new Promise((resolve, reject) => {
      socket.once('error', (failure: NodeJS.ErrnoException) => {
        socket.close();
        const who = failure.code === 'EADDRINUSE' ? ': another tunnel endpoint has it' : '';
        reject(new Error(`UDP port ${udpPort}: bind${who} (${failure.code})`));
      });
      socket.bind(udpPort, () => {
        socket.removeAllListeners('error');
        socket.on('error', () => {});
        try {
          socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
        } catch {
          // As large as the kernel lets it be.
        }
        socket.on('message', (packet, from) => this.onDatagram(packet, from));
        this.receivers.push(socket);
        resolve();
      });
    });
  }

  private async openRaw(family: Family): Promise<void> {
    const { default: raw } = await import('raw-socket').catch(() => {
      throw new Error(
        'portable GRE needs the package raw-socket, which is not installed or did not build',
      );
    });
    const addressFamily = family === 4 ? raw.AddressFamily.IPv4 : raw.AddressFamily.IPv6;
    const options = { protocol: IPPROTO_GRE, addressFamily, bufferSize: MAX_PACKET_BYTES };
    const socket = raw.createSocket(options);
    socket.on('error', () => {});
    socket.on('message', (packet: Buffer, source: string) => {
      if (family === 4) this.onIpv4(packet);
      else this.withLocal(source, 6, this.relayed(packet, wordsOf(source), 6));
    });
    this.raw.set(family, socket);
    this.receivers.push(socket);
  }

  private sendRaw(family: Family, packet: Buffer, remote: string): void {
    const socket = this.raw.get(family);
    if (socket === undefined || this.rawQueued >= MAX_QUEUED_PACKETS) {
      this.hooks.dropped(socket === undefined ? 'drop_tunnel_no_route' : 'drop_tx_queue_full');
      return;
    }
    this.rawQueued++;
    socket.send(packet, 0, packet.length, remote, (failure) => {
      this.rawQueued--;
      if (failure === null) return;
      // Its errors say what went wrong in words only.
      const isUnreachable = /unreachable|no route/i.test(failure.message);
      this.hooks.dropped(isUnreachable ? 'drop_tunnel_no_route' : 'drop_tx_error');
    });
  }

  /** The socket for a flow: bound to its source address, if the tunnel says one, and to a port of its own. */
  private senderFor(words: Uint32Array, isFour: boolean): Socket | null {
    const place = words[RELAY.PLACE];
    const source = isFour ? words[RELAY.SRC] : words[RELAY.IPV6_SRC] | words[RELAY.IPV6_SRC + 3];
    const any = isFour ? '0.0.0.0' : '::';
    const address =
      source === 0 ? any : isFour ? textOf4(words[RELAY.SRC]) : textOf6(words, RELAY.IPV6_SRC);
    const name = `${address} ${place}`;
    const known = this.senders.get(name);
    if (known !== undefined) return known;
    if (this.senders.size >= MAX_SENDERS) return null;
    const { firstSourcePort, lastSourcePort } = this.spec;
    const each = Math.max(1, Math.floor((lastSourcePort - firstSourcePort) / SOURCE_PORTS));
    const first = firstSourcePort + (place % SOURCE_PORTS) * each;
    const socket = this.bindSender(isFour ? 4 : 6, address, Math.min(first, lastSourcePort), name);
    this.senders.set(name, socket);
    return socket;
  }

  /** Packets given to it meanwhile wait until it is bound. A port that somebody has is replaced by any. */
  private bindSender(family: Family, address: string, port: number, name: string): Socket {
    const socket = socketOf(family, true);
    socket.on('error', () => {
      // An address that is not ours, say: the next packet tries again.
      if (this.senders.get(name) !== socket) return;
      this.senders.delete(name);
      socket.close();
      if (port !== 0) this.senders.set(name, this.bindSender(family, address, 0, name));
      this.hooks.dropped('drop_tx_error');
    });
    socket.bind(port, address);
    return socket;
  }

  private onDatagram(packet: Buffer, { address, port, family }: RemoteInfo): void {
    const isFour = family === 'IPv4';
    const relayed = this.relayed(packet, wordsOf(address), isFour ? 4 : 6);
    new Uint32Array(relayed.buffer)[RELAY.TP] = (port << 16) >>> 0;
    this.withLocal(address, isFour ? 4 : 6, relayed);
  }

  private onIpv4(packet: Buffer): void {
    const bytes = (packet[0] & 15) * 4;
    if (packet.length < IPV4_MIN_BYTES || bytes < IPV4_MIN_BYTES || bytes > packet.length) return;
    const source = Uint32Array.of(packet.readUInt32BE(12));
    const relayed = this.relayed(packet.subarray(bytes), source, 4);
    const words = new Uint32Array(relayed.buffer, 0, RELAY.WORDS);
    words[RELAY.DST] = packet.readUInt32BE(16);
    words[RELAY.FLAGS] = (packet[1] << 8) | packet[8];
    this.hooks.packet(relayed);
  }

  private relayed(packet: Uint8Array, source: Uint32Array, family: Family): Uint8Array {
    // Of whole words in the end, so that it can be read as words.
    const relayed = new Uint8Array(
      new ArrayBuffer((RELAY_BYTES + packet.length + 3) & ~3),
    ).subarray(0, RELAY_BYTES + packet.length);
    new Uint32Array(relayed.buffer).set(source, family === 4 ? RELAY.SRC : RELAY.IPV6_SRC);
    relayed.set(packet, RELAY_BYTES);
    return relayed;
  }

  /** Hands a packet over once it is known which address of ours `remote` talks to. */
  private withLocal(remote: string, family: Family, relayed: Uint8Array): void {
    const known = this.remotes.get(remote);
    if (known !== undefined && known.local === null) {
      if (known.held.length < MAX_HELD) known.held.push(relayed);
      return;
    }
    const now = this.hooks.now();
    if (known !== undefined && now < known.untilMs) {
      this.arrive(relayed, known.local, family);
      return;
    }
    // Of a flood of far ends, most made up, only some are looked into: what others send came to an address that is not known.
    if (this.probes >= MAX_PROBES) {
      this.arrive(relayed, known?.local ?? null, family);
      return;
    }
    if (this.remotes.size >= MAX_REMOTES) this.remotes.clear();
    const entry: Remote = { local: null, untilMs: now + REMOTE_MS, held: [relayed] };
    this.remotes.set(remote, entry);
    this.findLocal(remote, family, (local) => {
      entry.local = local;
      for (const held of entry.held.splice(0)) this.arrive(held, local, family);
    });
  }

  private findLocal(remote: string, family: Family, found: (local: Uint32Array) => void): void {
    this.probes++;
    const probe = socketOf(family, false);
    probe.on('error', () => {});
    probe.connect(DISCARD_PORT, remote, (failure?: Error) => {
      this.probes--;
      found(failure ? new Uint32Array(0) : wordsOf(probe.address().address));
      probe.close();
    });
  }

  private arrive(relayed: Uint8Array, local: Uint32Array | null, family: Family): void {
    const words = new Uint32Array(relayed.buffer, 0, RELAY.WORDS);
    if (local !== null) words.set(local, family === 4 ? RELAY.DST : RELAY.IPV6_DST);
    this.hooks.packet(relayed);
  }
}
