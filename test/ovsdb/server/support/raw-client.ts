/** A connection to any OVSDB server, message by message. */
import { connect, type Socket } from 'node:net';
import { jsonText } from '../../../../src/ovsdb/exact-json.ts';
import { type Json, type JsonObject, JsonStream } from '../../../../src/ovsdb/json-stream.ts';

export class RawClient {
  readonly messages: JsonObject[] = [];
  isClosed = false;
  private readonly socket: Socket;
  private readonly stream = new JsonStream();
  private wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.messages.push(...this.stream.push(chunk));
      this.wake();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isClosed = true;
      this.wake();
    });
  }

  /** `where` is the path of a socket or a port of this machine. */
  static open(where: string | number): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = typeof where === 'string' ? connect(where) : connect(where, '127.0.0.1');
      socket.once('error', reject);
      socket.once('connect', () => resolve(new RawClient(socket)));
    });
  }

  write(text: string): void {
    this.socket.write(text);
  }

  send(method: string, params: Json[], id: Json): void {
    this.write(jsonText({ method, params, id }));
  }

  /** Resolves with all messages when `done` says so; rejects when the connection ends before. */
  async until(done: (messages: readonly JsonObject[]) => boolean): Promise<JsonObject[]> {
    while (!done(this.messages)) {
      if (this.isClosed) throw new Error('connection closed');
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    return this.messages;
  }

  async request(method: string, ...params: Json[]): Promise<JsonObject> {
    const id = `r${this.messages.length}-${Math.random()}`;
    this.send(method, params, id);
    const messages = await this.until((all) => all.some((message) => message.id === id));
    return messages.find((message) => message.id === id) as JsonObject;
  }

  async closed(): Promise<void> {
    while (!this.isClosed)
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
  }

  /** Stops reading. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  close(): void {
    this.socket.destroy();
  }
}
