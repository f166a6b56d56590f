/**
 * A datapath thread: entry point of dist/worker.js, started by WorkerDatapath.
 *
 * It owns a region, a megaflow cache and a Port object for every port of the datapath, and receives from those whose queues
 * are its own. With other workers it shares only rings of frames (hand-over.ts) and token buckets (shared-tokens.ts). It runs
 * the loop until a STOP command. An exception here is a bug and ends the thread; the main thread hears of it.
 */
// Named, since the global one is looked up by a getter at each call.
import { performance } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  workerData,
} from 'node:worker_threads';
import { DP_WORDS } from '../packet/key.ts';
import { Doorbell } from '../sys/eventfd.ts';
import { mappedRegion } from '../sys/mapped-region.ts';
import { MonotonicClock } from '../sys/monotonic-clock.ts';
import { setNiceness } from '../sys/priority.ts';
import { pinThread } from '../sys/processors.ts';
import type { Batch } from './batch.ts';
import {
  type AddPort,
  CommandKind,
  Control,
  KEY_WORDS,
  OFFLOAD_WORDS,
  type PeersMessage,
  RecordKind,
  readKey,
  readOffload,
  type SetMeter,
  type SetPolicing,
  type SetQos,
  UPCALL_HEAD,
  type WorkerMessage,
  type WorkerStart,
  wordsOf,
  writeKey,
  writeOffload,
} from './commands.ts';
import { DatapathCore } from './core.ts';
import { type FrameOffload, NO_OFFLOAD, type PortNo } from './datapath.ts';
import type { DevicePort, RingPlace } from './device-port.ts';
import { isPolled, openDevicePort } from './device-ports.ts';
import { DUMMY_MEMORY_BYTES, DummyPort } from './dummy-port.ts';
import { FrameBuffers } from './frame-buffers.ts';
import { Loop } from './loop.ts';
import { canGenerate } from './probe-code.ts';
import { COOKIE_WORDS } from './program.ts';
import { RecentPrograms } from './recent-programs.ts';
import { RelayTunnelPort } from './relay-tunnel-port.ts';
import { RingReader, RingWriter } from './ring.ts';
import { LOOKUP_ASLEEP_SINCE, LOOKUP_SLEPT, Shared } from './shared.ts';
import { SharedTokens } from './shared-tokens.ts';
import { UpcallQuota } from './upcall-quota.ts';
import { warmUp } from './warm-up.ts';

/** What Open vSwitch's start script gives the whole daemon: a ring overflows while its thread waits for a processor. */
const NICENESS = -10;
/** Words of an upcall without anything in it. */
const SMALLEST_UPCALL = UPCALL_HEAD + OFFLOAD_WORDS + 1;
/** Commands carried out before packets get their turn. */
const COMMANDS_PER_TURN = 256;
/** A barrier does not wait for peers that hand over more and more. */
const HAND_OVERS_PER_BARRIER = 64;

function start(data: WorkerStart, parent: MessagePort): void {
  const post = (message: WorkerMessage) => parent.postMessage(message);
  setNiceness(NICENESS);
  const control = new Int32Array(data.control);
  const commands = new RingReader(data.commands);
  const records = new RingWriter(data.records);
  const quota = new UpcallQuota(records, SMALLEST_UPCALL);
  const sparseKey = new Int32Array(KEY_WORDS);
  const denseKey = new Uint32Array(DP_WORDS);
  const programs = new RecentPrograms();
  const shared = new Shared(data.shared);
  const region = mappedRegion(data.regionBytes);
  const buffers = new FrameBuffers(region);
  // One for all dummy ports: a batch is done with before the next port receives.
  const dummyMemory = region.allocate(DUMMY_MEMORY_BYTES);
  const doorbell = new Doorbell(data.doorbellFd);
  const time = new MonotonicClock();
  const originMs = performance.timeOrigin - data.timeOriginMs;
  /** Ports with a descriptor; those with frames for this worker are in the loop, too. */
  const devices = new Map<number, { port: DevicePort; polled: boolean }>();
  /** Ports whose frames the main thread moves. */
  const dummies = new Map<number, DummyPort | RelayTunnelPort>();
  let unreported = false;
  /** Commands wait until the loop is theirs. */
  let isWarm = false;

  const core = new DatapathCore(
    region,
    shared,
    upcall,
    () => Math.floor(time.now() + originMs),
    data.seed,
    { generate: data.generateCode, frontCache: true },
    () => time.now(),
    new SharedTokens(data.tokens),
  );
  const { handOver } = core;
  const loop = new Loop(
    core,
    doorbell,
    {
      waiting: () => isWarm && (!commands.isEmpty() || handOver.look()),
      take: () => {
        // A frame handed over after a change of its port is sent after that change: it was looked for before the commands.
        const hasFrames = handOver.look();
        takeCommands();
        if (hasFrames) handOver.take();
      },
      report,
      deviceGone: ({ name }) =>
        post({ kind: 'log', level: 'info', text: `${name}: the device is gone` }),
      setSleeping: (sleeping) => {
        Atomics.store(control, Control.SLEEPING, sleeping ? 1 : 0);
        countSleep(sleeping);
      },
    },
    () => time.now(),
  );
  if (data.generateCode && !canGenerate()) {
    const text = 'this process may not make code: packets are looked up by plain loops';
    post({ kind: 'log', level: 'info', text });
  }
  warmUp({ region, shared, core, loop, buffers });
  collectGarbage();
  isWarm = true;
  loop.run();
  loop.close();
  for (const { port } of devices.values()) port.close();
  for (const port of dummies.values()) port.close();
  time.close();
  region.close();

  function upcall(
    batch: Batch,
    p: number,
    reason: number,
    program: Int32Array,
    from: number,
    count: number,
  ): boolean {
    const length = batch.length[p];
    // In a flood most are refused: for little.
    if (!quota.admits(batch.inPort[p], SMALLEST_UPCALL + wordsOf(length))) return false;
    const keyWords = writeKey(sparseKey, 0, batch.keys, p * DP_WORDS, false);
    const size = UPCALL_HEAD + OFFLOAD_WORDS + keyWords + wordsOf(length);
    if (!quota.admits(batch.inPort[p], size)) return false;
    let at = records.reserve(size);
    if (at < 0) return false;
    const words = records.words;
    words[at++] = RecordKind.UPCALL;
    words[at++] = reason;
    // The kind and the cookie's words.
    for (let i = 0; i <= COOKIE_WORDS; i++) words[at++] = i < count ? program[from + i] : 0;
    words[at++] = length;
    words[at++] = batch.offloadFlags[p] | (batch.gsoType[p] << 8) | (batch.gsoSize[p] << 16);
    words[at++] = batch.headerBytes[p] | (batch.csumStart[p] << 16);
    words[at++] = batch.csumOffset[p];
    for (let i = 0; i < keyWords; i++) words[at++] = sparseKey[i];
    const start = batch.start[p];
    records.bytes.set(region.bytes.subarray(start, start + length), at * 4);
    records.publish();
    quota.took(batch.inPort[p], size);
    unreported = true;
    return true;
  }

  /** A dummy port's frame goes to the main thread; lost when that is far behind, as on a full wire. */
  function transmit(portNo: number, frame: Uint8Array, offload: FrameOffload): boolean {
    const at = records.reserve(3 + OFFLOAD_WORDS + wordsOf(frame.length));
    if (at < 0) return false;
    const words = records.words;
    words[at] = RecordKind.TRANSMIT;
    words[at + 1] = portNo;
    words[at + 2] = frame.length;
    writeOffload(words, at + 3, offload);
    records.bytes.set(frame, (at + 3 + OFFLOAD_WORDS) * 4);
    records.publish();
    unreported = true;
    return true;
  }

  function report(): void {
    if (!unreported) return;
    unreported = false;
    if (Atomics.exchange(control, Control.ARMED, 0) === 1) post({ kind: 'records' });
  }

  function takeCommands(): void {
    let executed = false;
    for (let n = 0; n < COMMANDS_PER_TURN; n++) {
      const at = commands.next();
      if (at < 0) break;
      executed = carryOut(at) || executed;
    }
    if (executed) core.flush();
    commands.release();
    if (Atomics.load(control, Control.WANTS_ROOM) === 1) {
      if (Atomics.exchange(control, Control.WANTS_ROOM, 0) === 1) post({ kind: 'room' });
    }
  }

  /** True when frames were executed and wait to be flushed. */
  function carryOut(at: number): boolean {
    const words = commands.words;
    switch (words[at]) {
      case CommandKind.PUT_FLOW: {
        const n = words[at + 2];
        const match = at + 4;
        const program = match + 3 * n;
        core.putFlow(
          words[at + 1],
          {
            words: words.subarray(match, match + n),
            values: words.subarray(match + n, match + 2 * n),
            masks: words.subarray(match + 2 * n, program),
          },
          programs.get(words, program, words[at + 3]),
        );
        return false;
      }
      case CommandKind.REMOVE_FLOW:
        core.removeFlow(words[at + 1]);
        return false;
      case CommandKind.EXECUTE: {
        const count = words[at + 2 + OFFLOAD_WORDS];
        const program = readKey(words, at + 3 + OFFLOAD_WORDS, denseKey);
        const frame = (program + count) * 4;
        core.execute(
          commands.bytes.subarray(frame, frame + words[at + 1]),
          readOffload(words, at + 2),
          denseKey,
          programs.get(words, program, count),
        );
        return true;
      }
      case CommandKind.ADD_PORT: {
        const request = textAt<AddPort>(at);
        answer(words[at + 1], () => addPort(request));
        return false;
      }
      case CommandKind.SET_RECEIVING: {
        const request = textAt<AddPort>(at);
        answer(words[at + 1], () => setReceiving(request));
        return false;
      }
      case CommandKind.REMOVE_PORT:
        answer(words[at + 1], () => removePort(words[at + 2]));
        return false;
      case CommandKind.SET_MTU:
        core.setMtu(words[at + 1] as PortNo, words[at + 2]);
        return false;
      case CommandKind.SET_GRO:
        core.setGro(words[at + 1] as PortNo, words[at + 2] === 1);
        return false;
      case CommandKind.BARRIER:
        core.flush();
        for (let n = 0; n < HAND_OVERS_PER_BARRIER && handOver.look(); n++) handOver.take();
        post({ kind: 'done', sequence: words[at + 1] });
        return false;
      case CommandKind.INJECT: {
        const port = dummies.get(words[at + 1]);
        if (port === undefined) return false;
        const frame = (at + 3 + OFFLOAD_WORDS) * 4;
        const bytes = commands.bytes.subarray(frame, frame + words[at + 2]);
        // Commands keep their order: what execute() queued leaves before this frame is looked at.
        core.flush();
        if (port.inject(bytes, readOffload(words, at + 3))) while (core.poll(port) > 0);
        return false;
      }
      case CommandKind.SET_POLICING: {
        const { config, generation } = textAt<SetPolicing>(at);
        core.setPolicing(words[at + 1] as PortNo, config, generation);
        return false;
      }
      case CommandKind.SET_QOS: {
        const { config, slots, holder } = textAt<SetQos>(at);
        const portNo = words[at + 1] as PortNo;
        if (holder === data.index) core.setQos(portNo, config, slots);
        else core.setOwner(portNo, config === null ? null : holder);
        return false;
      }
      case CommandKind.SET_METER: {
        const { config, generation } = textAt<SetMeter>(at);
        core.setMeter(words[at + 1], config, generation);
        return false;
      }
      case CommandKind.SET_PEERS: {
        // Posted before the command was written.
        const message: PeersMessage | undefined = receiveMessageOnPort(parent)?.message;
        if (message !== undefined) handOver.configure(message.peers, (fd) => new Doorbell(fd));
        return false;
      }
      case CommandKind.PIN: {
        const problem = pinThread(words[at + 1]);
        if (problem !== null) post({ kind: 'log', level: 'warn', text: problem });
        return false;
      }
      case CommandKind.STOP:
        loop.stop();
        return false;
      default:
        throw new Error(`unknown command ${words[at]}`);
    }
  }

  /** The JSON of a command: its bytes are in word 2, their number in front of them. */
  function textAt<T>(at: number): T {
    const from = (at + 3) * 4;
    const bytes = commands.bytes.slice(from, from + commands.words[at + 2]);
    return JSON.parse(new TextDecoder().decode(bytes));
  }

  /** Reports the outcome of a command that somebody waits for. */
  function answer(sequence: number, command: () => readonly RingPlace[]): void {
    try {
      post({ kind: 'done', sequence, places: command() });
    } catch (failure) {
      const error = failure instanceof Error ? failure.message : String(failure);
      post({ kind: 'done', sequence, error });
    }
  }

  function countSleep(sleeping: boolean): void {
    const now = time.now() + originMs;
    const { lookups } = shared;
    if (!sleeping) lookups[LOOKUP_SLEPT] += now - lookups[LOOKUP_ASLEEP_SINCE];
    lookups[LOOKUP_ASLEEP_SINCE] = sleeping ? now : 0;
  }

  function addPort(request: AddPort): readonly RingPlace[] {
    const { port, name, spec } = request;
    const portNo = port as PortNo;
    if (core.port(portNo) !== undefined) throw new Error(`port ${port} is in use`);
    if (spec.kind === 'dummy') {
      const dummy = new DummyPort(region, shared, dummyMemory, portNo, name, spec.mtu);
      dummy.onTransmit = (frame, offload) => transmit(port, frame, offload);
      dummies.set(port, dummy);
      core.attach(dummy);
      return [];
    }
    if (spec.kind === 'tunnel' && spec.io === 'portable') {
      const deliver = (packet: Uint8Array) => transmit(port, packet, NO_OFFLOAD);
      const relay = new RelayTunnelPort(portNo, name, spec, region, shared, dummyMemory, deliver);
      dummies.set(port, relay);
      core.attach(relay);
      return [];
    }
    core.attach(openDevice(request));
    return [];
  }

  function openDevice(request: AddPort): DevicePort {
    const device = openDevicePort(request, { region, buffers, shared });
    const polled = isPolled(request);
    try {
      if (polled) loop.addPort(device);
    } catch (failure) {
      device.close();
      throw failure;
    }
    devices.set(request.port, { port: device, polled });
    return device;
  }

  /** Frames wait in their rings and sockets meanwhile. */
  function setReceiving(request: AddPort): readonly RingPlace[] {
    const before = devices.get(request.port);
    if (before === undefined) return [];
    const places = before.port.places?.() ?? [];
    if (before.polled) loop.removePort(before.port);
    const { mtu } = before.port;
    core.suspend(before.port.portNo)?.close();
    devices.delete(request.port);
    const device = openDevice({ ...request, places: [...places, ...request.places] });
    device.mtu = mtu;
    core.attach(device);
    return places;
  }

  function removePort(portNo: number): readonly RingPlace[] {
    const device = devices.get(portNo);
    if (device?.polled) loop.removePort(device.port);
    core.detach(portNo as PortNo)?.close();
    devices.delete(portNo);
    dummies.delete(portNo);
    return [];
  }
}

/** Everything that the start left behind, so that no pause for it comes while packets wait. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  collect();
}

if (parentPort === null) throw new Error('this file is a worker: WorkerDatapath starts it');
start(workerData as WorkerStart, parentPort);
