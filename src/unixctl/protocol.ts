/**
 * What ovs-appctl and the daemon say to each other: JSON-RPC 1.0 objects that follow one another on a stream
 * socket without any separator (unixctl in ovs-appctl(8), JSON-RPC as in RFC 7047 section 4).
 *
 *   -> {"method": NAME, "params": [STRING...], "id": ID}
 *   <- {"result": TEXT, "error": null, "id": ID}   or   {"result": null, "error": TEXT, "id": ID}
 */

/** Longest request: a packet of 64 KiB in hex with room to spare. */
export const MAX_REQUEST_BYTES = 1 << 20;

export interface Request {
  method: string;
  params: readonly unknown[];
  id: unknown;
}

/** A stream that is no sequence of requests. The connection it came from is beyond saving. */
class ProtocolError extends Error {}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/**
 * Cuts a stream into JSON objects by counting braces outside strings. Every byte is looked at once however the
 * stream is sliced, so a peer that sends byte by byte costs no more than one that does not.
 */
export class RequestSplitter {
  private readonly pieces: Buffer[] = [];
  private bytes = 0;
  private depth = 0;
  private inString = false;
  private escaped = false;

  /** Takes what arrived and returns the requests that it completes. Throws ProtocolError. */
  push(chunk: Buffer): Request[] {
    const requests: Request[] = [];
    let start = 0;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i];
      if (this.escaped) {
        this.escaped = false;
      } else if (this.inString) {
        if (byte === BACKSLASH) this.escaped = true;
        else if (byte === QUOTE) this.inString = false;
      } else if (this.depth === 0) {
        if (byte === OPEN) {
          this.depth = 1;
          start = i;
        } else if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) {
          throw new ProtocolError('stream is not JSON-RPC');
        }
      } else if (byte === QUOTE) {
        this.inString = true;
      } else if (byte === OPEN) {
        this.depth++;
      } else if (byte === CLOSE && --this.depth === 0) {
        this.keep(chunk.subarray(start, i + 1));
        requests.push(parseRequest(Buffer.concat(this.pieces)));
        this.pieces.length = 0;
        this.bytes = 0;
        start = i + 1;
      }
    }
    if (this.depth > 0) this.keep(chunk.subarray(start));
    return requests;
  }

  private keep(piece: Buffer): void {
    this.bytes += piece.length;
    if (this.bytes > MAX_REQUEST_BYTES) {
      throw new ProtocolError(`request longer than ${MAX_REQUEST_BYTES} bytes`);
    }
    this.pieces.push(piece);
  }
}

function parseRequest(text: Buffer): Request {
  let value: unknown;
  try {
    value = JSON.parse(text.toString('utf8'));
  } catch {
    throw new ProtocolError('request is not JSON');
  }
  const { method, params, id } = value as Record<string, unknown>;
  if (typeof method !== 'string' || !Array.isArray(params) || id === undefined || id === null) {
    throw new ProtocolError('message is not a request');
  }
  return { method, params, id };
}

/** The text always ends in a newline unless it is empty: ovs-appctl prints it as it comes. */
const terminated = (text: string): string =>
  text === '' || text.endsWith('\n') ? text : `${text}\n`;

export const successReply = (id: unknown, text: string): string =>
  JSON.stringify({ error: null, id, result: terminated(text) });

export const errorReply = (id: unknown, text: string): string =>
  JSON.stringify({ error: terminated(text), id, result: null });
