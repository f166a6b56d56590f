/**
 * Interface type vhost-user: a guest's network device behind a unix socket on which we listen (`options:path`), for qemu's
 * `-chardev socket,id=c,path=PATH,reconnect=1 -netdev vhost-user,chardev=c` with memory that is shared (memory-backend-memfd,share=on).
 *
 * One front-end at a time. When it goes, the port stays, without a link, and waits for the next one.
 */
import { lstatSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { isAbsolute, join } from 'node:path';
import { VHOST_CONTROL_BYTES, vhostControl } from '../../../datapath/vhost-control.ts';
import { Epoll } from '../../../sys/epoll.ts';
import { close } from '../../../sys/libc.ts';
import { type Mapping, mapShared, unmap } from '../../../sys/shared-memory.ts';
import { type BoundPath, listenOnPath } from '../../../sys/unix-listen.ts';
import { duplicate } from '../../../sys/unix-messages.ts';
import type { Logger } from '../../../util/logger.ts';
import type { RunningDevice } from '../../report-ops.ts';
import type { WantedInterface } from '../../wanted.ts';
import { type Netdev, NetdevError } from '../netdev.ts';
import { VhostConnection } from './connection.ts';

const DEFAULT_MTU = 1500;

export interface VhostDeps {
  readonly runDir: string;
  readonly log: Logger;
  /** Resolves when the datapath has seen all that was written before. */
  readonly settled: () => Promise<void>;
  /** A guest came or went. */
  readonly changed: () => void;
}

/** `mac`: the made-up address to report, 48 bits. */
export async function openVhostUser(
  want: WantedInterface,
  mac: bigint,
  deps: VhostDeps,
): Promise<Netdev> {
  const { path } = want.options;
  if (path === undefined || path === '')
    throw new NetdevError(
      `${want.name}: vhost-user type requires options:path, the socket that qemu connects to`,
    );
  const place = isAbsolute(path) ? path : join(deps.runDir, path);
  const lying = lstatSync(place, { throwIfNoEntry: false });
  if (lying !== undefined && !lying.isSocket())
    throw new NetdevError(`${want.name}: ${place}: there is a file that is no socket`);
  const netdev = new VhostNetdev(want, mac, place, deps);
  try {
    await netdev.listen();
    return netdev;
  } catch (failure) {
    await netdev.close();
    throw new NetdevError(
      `${want.name}: cannot listen on ${place} (${(failure as Error).message})`,
    );
  }
}

class VhostNetdev implements Netdev {
  readonly name: string;
  readonly typeText = 'vhost-user';
  readonly ifindex = 0;
  private readonly mac: bigint;
  private readonly path: string;
  private readonly deps: VhostDeps;
  private readonly page: Mapping;
  private readonly epoll = new Epoll();
  private readonly server: Server;
  private bound: BoundPath | null = null;
  private connection: VhostConnection | null = null;
  private mtu: number;

  constructor(want: WantedInterface, mac: bigint, path: string, deps: VhostDeps) {
    this.name = want.name;
    this.mac = mac;
    this.path = path;
    this.deps = deps;
    this.mtu = want.mtuRequest ?? DEFAULT_MTU;
    this.page = mapShared(-1, VHOST_CONTROL_BYTES, `${want.name}: control page`);
    this.server = createServer({ pauseOnConnect: true }, (socket) => this.accept(socket));
    this.server.unref();
  }

  get spec() {
    return {
      kind: 'vhost-user' as const,
      fd: this.epoll.fd,
      control: this.page.address,
      mtu: this.mtu,
    };
  }

  async listen(): Promise<void> {
    this.bound = await listenOnPath(this.server, this.path);
    this.server.on('error', (error) => this.deps.log.warn(`${this.name}: ${error.message}`));
  }

  current(): boolean {
    return true;
  }

  status(): RunningDevice {
    const isUp = this.connection?.isUp ?? false;
    return {
      mac: this.mac,
      adminUp: true,
      linkUp: isUp,
      linkResets: 0,
      speedBps: null,
      fullDuplex: null,
      mtu: this.mtu,
      ifindex: 0,
      status: {
        io: 'vhost-user',
        mode: 'server',
        socket: this.path,
        status: this.connection === null ? 'disconnected' : 'connected',
        ...(this.connection === null
          ? {}
          : { features: `0x${this.connection.features.toString(16).padStart(16, '0')}` }),
      },
    };
  }

  setMtu(mtu: number): void {
    this.mtu = mtu;
  }

  setMac(): void {}

  async close(): Promise<void> {
    this.bound?.remove();
    this.server.close();
    await this.connection?.close();
    this.epoll.close();
    unmap(this.page);
  }

  private accept(socket: Socket): void {
    const { log, settled, changed } = this.deps;
    // Its bytes come with descriptors: they are read by a descriptor of our own, which Node knows nothing of.
    const fd = duplicate(socket);
    socket.destroy();
    if (this.connection !== null) {
      log.warn(`${this.name}: ${this.path}: a second front-end was refused`);
      close(fd);
      return;
    }
    log.info(`${this.name}: a front-end connected to ${this.path}`);
    const connection = new VhostConnection({
      fd,
      name: this.name,
      log,
      session: { control: vhostControl(this.page.address), epoll: this.epoll, settled },
      changed,
      ended: () => {
        if (this.connection === connection) this.connection = null;
        log.info(`${this.name}: the front-end of ${this.path} is gone`);
        changed();
      },
    });
    this.connection = connection;
    changed();
  }
}
