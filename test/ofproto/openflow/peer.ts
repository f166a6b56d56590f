/** A bridge in memory with its OpenFlow side, and a controller to talk to it over its real socket. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageSplitter } from '../../../src/ofproto/codec/framing.ts';
import {
  type DecodedMessage,
  decodeMessage,
  encodeMessage,
  type Message,
} from '../../../src/ofproto/codec/messages.ts';
import type { OfVersion } from '../../../src/ofproto/codec/versions.ts';
import {
  OpenflowBridge,
  type OpenflowSettings,
} from '../../../src/ofproto/openflow/openflow-bridge.ts';
import type { PortQueue } from '../../../src/ofproto/openflow/port-statistics.ts';
import { DirectSocket } from '../../../src/sys/direct-socket.ts';
import { LogRecorder } from '../../ovsdb/support/log-recorder.ts';
import { until } from '../../ovsdb/support/until.ts';
import { Lab } from '../lab.ts';

export const DEFAULTS: OpenflowSettings = {
  controllers: [],
  versions: [],
  failMode: 'secure',
  description: null,
  serial: null,
  bundleIdleMs: 10_000,
};

export class Bench {
  readonly runDir = mkdtempSync(join(tmpdir(), 'tsv-of-'));
  readonly lab = new Lab();
  readonly logs = new LogRecorder();
  readonly bridge = this.lab.bridge('br0');
  readonly of = new OpenflowBridge({
    bridge: this.bridge,
    switch: this.lab.switch,
    clock: this.lab.clock,
    logs: this.logs,
    runDir: this.runDir,
    takesTools: true,
    direct: (stream) => DirectSocket.of(stream),
    tls: () => null,
    softwareVersion: '3.1.0',
    deviceErrors: () => null,
    customCounters: () => null,
    queues: (port) => this.queues.get(port.name) ?? [],
    describe: () => '',
    statusChanged: () => {},
  });
  /** Queues of ports by name. */
  readonly queues = new Map<string, readonly PortQueue[]>();
  private readonly peers: Peer[] = [];

  constructor() {
    this.bridge.configure({ failMode: 'secure' });
    this.of.configure(DEFAULTS);
  }

  /** A tool connected to br0.mgmt that speaks one version. */
  async tool(version: OfVersion): Promise<Peer> {
    const peer = new Peer(connect(`${this.runDir}/br0.mgmt`), version);
    this.peers.push(peer);
    await peer.hello();
    return peer;
  }

  close(): void {
    for (const peer of this.peers) peer.socket.destroy();
    this.of.close();
    this.lab.switch.close();
    rmSync(this.runDir, { recursive: true, force: true });
  }
}

export class Peer {
  readonly socket: Socket;
  readonly version: OfVersion;
  readonly raw: Uint8Array[] = [];
  isClosed = false;
  private readonly splitter = new MessageSplitter();
  private xid = 100;

  constructor(socket: Socket, version: OfVersion) {
    this.socket = socket;
    this.version = version;
    socket.on('data', (chunk: Buffer) => {
      this.raw.push(...this.splitter.push(chunk).messages);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
    });
  }

  async hello(): Promise<void> {
    this.send({ kind: 'hello', bitmap: 1 << this.version });
    await until(() => this.raw.length > 0);
    this.raw.length = 0;
  }

  /** Returns the xid that it was sent under. */
  send(message: Message): number {
    const xid = this.xid++;
    this.socket.write(encodeMessage(message, { version: this.version }, xid));
    return xid;
  }

  get received(): DecodedMessage[] {
    return this.raw.map((bytes) => decodeMessage(bytes, { version: this.version }));
  }
  get kinds(): string[] {
    return this.received.map((one) => {
      if (!one.ok) return `undecodable ${one.error}`;
      return one.message.kind === 'error' ? `error ${one.message.error}` : one.message.kind;
    });
  }

  /** What came up to and with the reply to a barrier sent now; begins anew after it. */
  async barrier(): Promise<string[]> {
    const xid = this.send({ kind: 'barrierRequest' });
    await until(() =>
      this.received.some((one) => one.ok && one.message.kind === 'barrierReply' && one.xid === xid),
    );
    const { kinds } = this;
    this.raw.length = 0;
    return kinds;
  }
}
