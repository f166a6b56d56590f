/** Two ends of a connection in memory: what is written into one comes out of the other. */
import { Duplex } from 'node:stream';

export class MemoryStream extends Duplex {
  /** As of a socket. */
  bytesWritten = 0;
  private peer: MemoryStream | null = null;
  /** Goes on when the other end has read. */
  private taken: (() => void) | null = null;

  static pair(): [MemoryStream, MemoryStream] {
    const [a, b] = [new MemoryStream(), new MemoryStream()];
    a.peer = b;
    b.peer = a;
    return [a, b];
  }

  /** Ends when everything was read, as that of a socket. */
  destroySoon(): void {
    this.end(() => this.destroy());
  }

  override _read(): void {
    const { peer } = this;
    const taken = peer?.taken ?? null;
    if (peer !== null) peer.taken = null;
    taken?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const { peer } = this;
    this.bytesWritten += chunk.length;
    if (peer === null || peer.destroyed || peer.readableEnded) done();
    else if (peer.push(Buffer.from(chunk))) done();
    else this.taken = done;
  }

  override _final(done: () => void): void {
    if (this.peer !== null && !this.peer.destroyed) this.peer.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const { peer } = this;
    if (peer !== null && !peer.destroyed && !peer.readableEnded) peer.push(null);
    done(error);
  }
}
