/** Raw bytes to a switch's OpenFlow socket, and its answers in short: `error 1/6`, `error nx 2`, `type 19`, `closed`. */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { MessageSplitter } from '../../../src/ofproto/codec/framing.ts';
import { hex } from '../../packet/bytes.ts';

export interface BadMessage {
  /** Wire number; 0 for streams that have their own hello, or none. */
  readonly version: number;
  readonly what: string;
  readonly bytes: Uint8Array;
  /** What Open vSwitch answers, and what is expected here. */
  readonly theirs: string;
  readonly ours: string;
}

export function badMessages(version: number): readonly BadMessage[] {
  const file = new URL('./fixtures/bad-messages.txt', import.meta.url);
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(`${version} | `))
    .map((line) => {
      const [, what, digits, theirs, ours = theirs] = line.split(' | ');
      return { version, what, bytes: hex(digits), theirs, ours };
    });
}

const EXPERIMENTERS: Readonly<Record<number, string>> = { 8992: 'nx', 1330529792: 'onf' };
const HELLO = 0;
const ERROR = 1;
/** Experimenters' errors in 1.2 and later, and Nicira's of before. */
const EXPERIMENTER = 0xffff;
const NICIRA_VENDOR = 0xb0c2;

function summary(bytes: Uint8Array): string {
  if (bytes[1] === HELLO) return 'hello';
  if (bytes[1] !== ERROR) return `type ${bytes[1]}`;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const type = view.getUint16(8);
  const code = view.getUint16(10);
  if (type === EXPERIMENTER) return `error ${EXPERIMENTERS[view.getUint32(12)]} ${code}`;
  if (type === NICIRA_VENDOR) return `error nx ${view.getUint16(16)}/${view.getUint16(18)}`;
  return `error ${type}/${code}`;
}

function header(version: number, type: number, xid: number): Buffer {
  const bytes = Buffer.from([version, type, 0, 8, 0, 0, 0, 0]);
  bytes.writeUInt32BE(xid, 4);
  return bytes;
}

const BARRIER_XID = 0x70000000;
const barrierOf = (version: number): number => (version === 1 ? 18 : 20);
/** Only of this version: it is what the bitmap says since 1.3. */
const helloOf = (version: number): Buffer =>
  version < 4
    ? header(version, HELLO, 1)
    : Buffer.from([version, HELLO, 0, 16, 0, 0, 0, 1, 0, 1, 0, 8, 0, 0, 0, 1 << version]);

/** Messages as they come; null once the switch has closed. */
class RawPeer {
  readonly socket: Socket;
  private readonly splitter = new MessageSplitter();
  private readonly waiting: (Uint8Array | null)[] = [];
  private wake: () => void = () => {};

  constructor(path: string) {
    this.socket = connect(path);
    this.socket.on('data', (chunk) => this.put(...this.splitter.push(chunk).messages));
    this.socket.on('error', () => {});
    this.socket.on('close', () => this.put(null));
  }

  private put(...messages: (Uint8Array | null)[]): void {
    this.waiting.push(...messages);
    this.wake();
  }

  async next(): Promise<Uint8Array | null> {
    while (this.waiting.length === 0) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    return this.waiting.shift() ?? null;
  }
}

/** Answers to each of the messages, which a barrier after each tells apart. Equal ones in a row count once. */
export async function exchange(
  path: string,
  version: number,
  messages: readonly Uint8Array[],
): Promise<string[]> {
  const peer = new RawPeer(path);
  peer.socket.write(helloOf(version));
  const all: string[] = [];
  for (const [i, bytes] of messages.entries()) {
    peer.socket.write(bytes);
    peer.socket.write(header(version, barrierOf(version), BARRIER_XID + i));
    const answers: string[] = [];
    for (;;) {
      const one = await peer.next();
      if (one === null) {
        answers.push('closed');
        break;
      }
      if (one[1] === HELLO) continue;
      if (Buffer.from(one).readUInt32BE(4) === BARRIER_XID + i) break;
      const answer = summary(one);
      if (answers.at(-1) !== answer) answers.push(answer);
    }
    all.push(answers.join(', ') || 'nothing');
  }
  peer.socket.destroy();
  return all;
}

/** What comes for a stream: until the switch closes, or has answered an echo of 1.3 in a connection of its own begun later. */
export async function streamed(path: string, bytes: Uint8Array): Promise<string> {
  const peer = new RawPeer(path);
  peer.socket.write(bytes);
  const answers: string[] = [];
  // What a second connection gets later than this one would have got it.
  const done = exchange(path, 4, [new Uint8Array(0), new Uint8Array(0)]).then(() => 'later');
  for (;;) {
    const one = await Promise.race([peer.next(), done]);
    if (one === 'later') break;
    answers.push(one === null ? 'closed' : summary(one as Uint8Array));
    if (one === null) break;
  }
  peer.socket.destroy();
  return answers.join(', ');
}
