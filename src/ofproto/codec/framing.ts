/**
 * Cuts a byte stream into OpenFlow messages. A header's length field is trusted for nothing but the end of its message: less than a
 * header ends the connection, since nothing after it can be found, and 65535 bytes is all that one message can make anybody keep.
 */
import { HEADER_BYTES } from './header.ts';

export type Framed =
  | { readonly ok: true; readonly messages: readonly Uint8Array[] }
  /** A length below 8: whole messages in front of it, and the end of the connection. */
  | { readonly ok: false; readonly messages: readonly Uint8Array[] };

export class MessageSplitter {
  /** The beginning of a message that is not complete, as it came. */
  private chunks: Uint8Array[] = [];
  private held = 0;
  /** Bytes without which there is nothing to do: a header, or the message whose header is known. */
  private wanted = HEADER_BYTES;

  /** Bytes that wait for the rest of their message, at most 65534. */
  get pending(): number {
    return this.held;
  }

  /**
   * Takes what was received; gives the messages that it completes, as views of exactly their length. Who keeps one, or a part, takes
   * a copy: it would keep all that was received with it.
   */
  push(received: Uint8Array): Framed {
    // A Buffer's slice() is no copy, so nobody shall see one.
    const chunk = new Uint8Array(received.buffer, received.byteOffset, received.byteLength);
    this.chunks.push(chunk);
    this.held += chunk.length;
    if (this.held < this.wanted) return { ok: true, messages: [] };
    this.wanted = HEADER_BYTES;
    const bytes = this.joined();
    const messages: Uint8Array[] = [];
    let at = 0;
    while (bytes.length - at >= HEADER_BYTES) {
      const length = (bytes[at + 2] << 8) | bytes[at + 3];
      if (length < HEADER_BYTES) return { ok: false, messages };
      if (bytes.length - at < length) {
        this.wanted = length;
        break;
      }
      messages.push(bytes.subarray(at, at + length));
      at += length;
    }
    // A copy, so that a short rest does not keep a long chunk.
    const rest = at === 0 ? bytes : bytes.slice(at);
    this.chunks = [rest];
    this.held = rest.length;
    return { ok: true, messages };
  }

  private joined(): Uint8Array {
    if (this.chunks.length === 1) return this.chunks[0];
    const bytes = new Uint8Array(this.held);
    let at = 0;
    for (const chunk of this.chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes;
  }
}
