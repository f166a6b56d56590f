/**
 * What the switch remembers about one controller or tool: role, formats, what it wants to hear, bundles and monitors. All of it
 * begins anew with each connection. Handlers (handlers.ts) change it, events (openflow-bridge.ts) read it.
 */
import type { Action } from '../../flowtable/action.ts';
import type { Clock, Timer } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import type { OfErrorName } from '../codec/errors.ts';
import { ListsByBytes } from '../codec/known-lists.ts';
import {
  type DecodedMessage,
  encodeError,
  encodeMessage,
  encodeParts,
  hasMessage,
  type Message,
  type MessageForm,
  type Multipart,
} from '../codec/messages.ts';
import { MultipartRequests } from '../codec/multipart-requests.ts';
import type { WireContext } from '../codec/reader.ts';
import { OF10, type OfVersion } from '../codec/versions.ts';
import type { PacketIn } from '../model.ts';
import { NO_BUFFER } from '../model.ts';
import { AsyncFilter, type AsyncKind, type Role } from './async-filter.ts';
import { Bundles } from './bundles.ts';
import { FlowModReport } from './flow-mod-report.ts';
import { FlowMonitors } from './flow-monitors.ts';
import { PacketInRate } from './packet-in-rate.ts';
import type { OpenflowReconnect } from './reconnect.ts';

/** `controller` for those that the switch connects to; `service` for whoever connects to the switch. */
export type ConnectionKind = 'controller' | 'service';

type TunMetadata = NonNullable<WireContext['tunMetadata']>;

const DEFAULT_MISS_SEND_LENGTH = 128;
const ALL_BYTES = 0xffff;
/** How often requests that lack parts are looked at. */
const PARTS_MS = 500;
/** Asynchronous messages are dropped while this much is unsent. */
const ASYNC_LIMIT_BYTES = 1 << 20;

export class Connection {
  readonly kind: ConnectionKind;
  readonly rconn: OpenflowReconnect;
  readonly bundles: Bundles;
  readonly monitors: FlowMonitors;
  readonly flowMods: FlowModReport;
  role: Role = 'equal';
  controllerId = 0;
  missSendLength = 0;
  invalidTtlToController = false;
  flowFormat: 'openflow10' | 'nxm' = 'openflow10';
  flowModTableId = false;
  packetInFormat: 'standard' | 'nxt' | 'nxt2' = 'standard';
  /** By Controller.enable_async_messages. */
  enableAsync = true;
  /** Asynchronous messages that found the peer not reading. */
  droppedAsync = 0;
  private instructions = new ListsByBytes<readonly Action[]>();
  async: AsyncFilter = new AsyncFilter(OF10);
  private readonly clock: Clock;
  private readonly multiparts = new MultipartRequests();
  private partsTimer: Timer | null = null;
  /** Answers of which the rest is not encoded yet. */
  private unsaid: Generator<Uint8Array, void>[] = [];
  private readonly tunMetadata: TunMetadata;
  /** Misses and others have a limit each. */
  private readonly missRate: PacketInRate;
  private readonly actionRate: PacketInRate;

  constructor(
    kind: ConnectionKind,
    rconn: OpenflowReconnect,
    clock: Clock,
    tunMetadata: TunMetadata,
    log: Logger,
  ) {
    this.kind = kind;
    this.rconn = rconn;
    this.clock = clock;
    this.tunMetadata = tunMetadata;
    this.bundles = new Bundles(clock, (opening) => this.error('OFPBFC_TIMEOUT', opening));
    this.monitors = new FlowMonitors(this);
    this.flowMods = new FlowModReport(clock, (text) => log.info(`${rconn.name}: ${text}`));
    const send = (bytes: Uint8Array): void => this.sendAsync(bytes);
    this.missRate = new PacketInRate(clock, send);
    this.actionRate = new PacketInRate(clock, send);
  }

  /** Forgets everything: a new connection has come about. */
  begin(version: OfVersion): void {
    this.role = 'equal';
    this.controllerId = 0;
    this.missSendLength = this.kind === 'controller' ? DEFAULT_MISS_SEND_LENGTH : 0;
    this.invalidTtlToController = false;
    this.flowFormat = 'openflow10';
    this.flowModTableId = false;
    this.packetInFormat = 'standard';
    this.instructions = new ListsByBytes();
    this.async = new AsyncFilter(version);
    this.end();
  }

  /** Gives up what belongs to a connection that is over. */
  end(): void {
    this.multiparts.clear();
    this.partsTimer?.cancel();
    this.partsTimer = null;
    this.unsaid = [];
    this.flowMods.flush();
    this.bundles.clear();
    this.monitors.clear();
    this.missRate.clear();
    this.actionRate.clear();
  }

  limitPacketIns(rate: number, burst: number): void {
    this.missRate.configure(rate, burst);
    this.actionRate.configure(rate, burst);
  }

  /** For the `status` column. */
  packetInStatus(): Record<string, string> {
    const status: Record<string, string> = {};
    for (const [name, limit] of [
      ['miss', this.missRate],
      ['action', this.actionRate],
    ] as const) {
      if (!limit.isLimited) continue;
      status[`packet-in-${name}-backlog`] = String(limit.backlog);
      status[`packet-in-${name}-bypassed`] = String(limit.stats.bypassed);
      status[`packet-in-${name}-queued`] = String(limit.stats.queued);
      status[`packet-in-${name}-dropped`] = String(limit.stats.dropped);
    }
    return status;
  }

  get version(): OfVersion {
    return this.rconn.version ?? OF10;
  }
  get context(): WireContext {
    const { version, flowModTableId, tunMetadata, instructions } = this;
    return { version, flowModTableId, tunMetadata, instructions };
  }
  /** The form of messages about flows: of 1.0 the controller has chosen. */
  get flowForm(): MessageForm {
    return this.version === OF10 && this.flowFormat === 'nxm' ? 'nx' : 'of';
  }

  /** What is complete with a message: nothing for a part of a request that others follow. */
  receive(bytes: Uint8Array): readonly DecodedMessage[] {
    const complete = this.multiparts.receive(bytes, this.context, this.clock.now());
    this.watchParts();
    return complete;
  }

  private watchParts(): void {
    if (this.partsTimer !== null || this.multiparts.pending === 0) return;
    this.partsTimer = this.clock.after(PARTS_MS, () => {
      this.partsTimer = null;
      for (const part of this.multiparts.expire(this.clock.now())) {
        this.error('OFPBRC_MULTIPART_REQUEST_TIMEOUT', part);
      }
      this.watchParts();
    });
  }

  reply(message: Message, xid: number): void {
    this.rconn.send(encodeMessage(message, this.context, xid));
  }
  /** `leftOut` is called for an entry too long for any message. */
  replyParts(message: Multipart, xid: number, leftOut?: () => void): void {
    this.unsaid.push(encodeParts(message, this.context, xid, leftOut));
    this.sayMore();
  }

  /**
   * Goes on with long answers as far as the peer reads. While one is not finished nothing more is read from the peer, so that no later answer
   * can come between. True when all is said.
   */
  sayMore(): boolean {
    while (this.unsaid.length > 0 && !this.rconn.isCongested) {
      const part = this.unsaid[0].next();
      if (part.done === true) this.unsaid.shift();
      else this.rconn.send(part.value);
    }
    return this.unsaid.length === 0;
  }

  /** Quotes `request`. */
  error(error: OfErrorName, request: Uint8Array): void {
    this.rconn.send(encodeError(error, request, this.context));
  }

  /** Whether an asynchronous message would be heard. */
  wants(kind: AsyncKind, reason: number): boolean {
    if (!this.rconn.isConnected || !this.enableAsync) return false;
    // Tools hear of nothing until they ask, which they do with a miss_send_len.
    if (this.kind === 'service' && this.missSendLength === 0) return false;
    return this.async.wants(this.role, kind, reason);
  }

  /** Sends what nobody asked for, unless the version has no such message or the peer does not read. */
  tell(message: Message): void {
    if (!hasMessage(message.kind, this.version)) return;
    this.sendAsync(encodeMessage(message, this.context, 0));
  }

  private sendAsync(bytes: Uint8Array): void {
    if (this.rconn.unsentBytes > ASYNC_LIMIT_BYTES) this.droppedAsync++;
    else this.rconn.send(bytes);
  }

  /** Frames are always sent whole, since none is kept (OpenFlow 1.3.5, 7.4.1: NO_BUFFER). */
  tellPacketIn(packetIn: PacketIn, port: number, isMiss: boolean): void {
    const { frame } = packetIn;
    const form = FORMS[this.packetInFormat];
    const bytes = encodeMessage(
      {
        kind: 'packetIn',
        form,
        packetIn: { ...packetIn, maxBytes: ALL_BYTES },
        bufferId: NO_BUFFER,
        totalLength: frame.length,
      },
      this.context,
      0,
    );
    (isMiss ? this.missRate : this.actionRate).offer(port, bytes);
  }
}

const FORMS = { standard: 'of', nxt: 'nx', nxt2: 'nx2' } as const;
