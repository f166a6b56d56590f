/**
 * Agreement about a version (OpenFlow 1.3.5, 6.3.1): both sides say hello, and the newest version that both know is spoken.
 *
 * A hello without a bitmap means every version up to that of its header. As by Open vSwitch, a bitmap is sent only where that would say
 * too much.
 */
import { connectionMessages, versionBitmap } from '../codec/connection-messages.ts';
import { OF_VERSIONS, OF10, type OfVersion } from '../codec/versions.ts';
import { decode, encode } from '../codec/wire.ts';

const hello = connectionMessages.hello['of 1.0+ 0'];
const TYPE_HELLO = 0;
const HEADER = 8;

/** Bits of all versions up to `version`. */
const upTo = (version: number): number =>
  versionBitmap(OF_VERSIONS.filter((known) => known <= version));

export function message(version: number, type: number, xid: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, version);
  view.setUint8(1, type);
  view.setUint16(2, bytes.length);
  view.setUint32(4, xid);
  bytes.set(body, HEADER);
  return bytes;
}

/** The hello of a switch that speaks the versions of `bitmap`. */
export function helloOf(bitmap: number, xid: number): Uint8Array {
  const newest = newestOf(bitmap) ?? OF10;
  const isWhole = bitmap === upTo(newest);
  const body = encode(hello, { bitmap: isWhole ? null : bitmap }, { version: newest });
  return message(newest, TYPE_HELLO, xid, body);
}

export const newestOf = (bitmap: number): OfVersion | undefined =>
  OF_VERSIONS.findLast((version) => (bitmap & (1 << version)) !== 0);

/** The versions that a peer's hello offers; null when the message is none, or of no version. */
export function offered(bytes: Uint8Array): number | null {
  if (bytes[1] !== TYPE_HELLO || bytes[0] === 0) return null;
  const said = decode(hello, bytes.subarray(HEADER), { version: OF10 });
  const bitmap = said.ok ? said.value.bitmap : null;
  return bitmap ?? upTo(Math.max(bytes[0], OF10));
}

/** "version 0x01", "version 0x06 and earlier" or "versions 0x01, 0x04". */
export function bitmapText(bitmap: number): string {
  const newest = newestOf(bitmap);
  if (newest !== undefined && newest > OF10 && bitmap === upTo(newest)) {
    return `version 0x${newest.toString(16).padStart(2, '0')} and earlier`;
  }
  const list: string[] = [];
  for (let version = 0; version < 32; version++) {
    if ((bitmap & (1 << version)) !== 0) list.push(`0x${version.toString(16).padStart(2, '0')}`);
  }
  return `version${list.length === 1 ? '' : 's'} ${list.join(', ')}`;
}
