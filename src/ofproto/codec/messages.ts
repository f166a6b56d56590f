/**
 * The one table of OpenFlow messages: every kind, the forms that it has on the wire (header.ts) and the codec of each form's body. From it
 * come the type of all messages, decoding and encoding.
 *
 * Nothing that is received can make decoding throw, loop or keep more than the message: what is wrong comes back as the name of the error to
 * send, the one that Open vSwitch would send.
 */

import { type LengthCheck, lengthCheck } from './body-lengths.ts';
import { connectionMessages } from './connection-messages.ts';
import type { OfErrorName } from './errors.ts';
import { extensionMessages } from './extension-messages.ts';
import { flowMessages } from './flow-messages.ts';
import { monitorMessages } from './flow-monitor.ts';
import { groupMessages } from './group-messages.ts';
import {
  type Form,
  formKey,
  HEADER_BYTES,
  isMultipart,
  MULTIPART_FLAGS_OFFSET,
  MULTIPART_MORE,
  parseForm,
  readIdentity,
  unknownIdentity,
  writeHeader,
} from './header.ts';
import type { EntriesCodec } from './message-parts.ts';
import { meterMessages } from './meter-messages.ts';
import { packetMessages } from './packet-messages.ts';
import { portMessages } from './port-messages.ts';
import { queueMessages } from './queue-messages.ts';
import { Reader, type WireContext } from './reader.ts';
import { tableMessages } from './table-messages.ts';
import type { OfVersion } from './versions.ts';
import { attempt, type Codec, type TypeOf } from './wire.ts';
import { Writer } from './writer.ts';

const MESSAGES = {
  ...connectionMessages,
  ...portMessages,
  ...queueMessages,
  ...packetMessages,
  ...flowMessages,
  ...groupMessages,
  ...meterMessages,
  ...tableMessages,
  ...monitorMessages,
  ...extensionMessages,
} as const;

type Messages = typeof MESSAGES;
export type MessageKind = keyof Messages;

/**
 * Which of several forms in one version: `of` (the standard's, written unless something else is said), `nx` (Nicira's) or `nx2`
 * (NXT_PACKET_IN2). Where a version has one form only, it is written whatever is said.
 */
export type MessageForm = 'of' | 'nx' | 'nx2';

interface Common {
  readonly form?: MessageForm;
  /** Of multiparts: more parts follow. */
  readonly more?: boolean;
}

type BodyOf<K extends MessageKind> = TypeOf<Messages[K][keyof Messages[K]]>;

export type MessageOf<K extends MessageKind> = { readonly kind: K } & Common & BodyOf<K>;

/** Every message, by `kind`. */
export type Message = { [K in MessageKind]: MessageOf<K> }[MessageKind];

interface Row {
  readonly kind: MessageKind;
  readonly form: Form;
  readonly codec: Codec<unknown>;
  readonly name: MessageForm;
}

const NXT_PACKET_IN2 = 30;

const nameOf = (form: Form): MessageForm => {
  if (form.organisation === 'nx' && form.number === NXT_PACKET_IN2) return 'nx2';
  return form.organisation.startsWith('nx') ? 'nx' : 'of';
};

const rows: readonly Row[] = Object.entries(MESSAGES).flatMap(([kind, forms]) =>
  Object.entries(forms).map(([text, codec]) => {
    const form = parseForm(text);
    return { kind: kind as MessageKind, form, codec, name: nameOf(form) };
  }),
);

const covers = ({ form }: Row, version: number): boolean =>
  form.first <= version && version <= form.last;

const VERSIONS = [1, 2, 3, 4, 5, 6] as const;

const byWire = new Map<string, Row & { readonly fits: LengthCheck }>();
const byKind = new Map<string, readonly Row[]>();
for (const version of VERSIONS) {
  for (const row of rows) {
    if (!covers(row, version)) continue;
    byWire.set(formKey(row.form, version), { ...row, fits: lengthCheck(row.form, version) });
    const key = `${version} ${row.kind}`;
    byKind.set(key, [...(byKind.get(key) ?? []), row]);
  }
}

export type DecodedMessage =
  | { readonly ok: true; readonly xid: number; readonly message: Message }
  | { readonly ok: false; readonly xid: number; readonly error: OfErrorName };

const TYPE_ECHO_REPLY = 3;

/** Hello, error and echo (0 to 3) have no version that matters: they are taken from any peer. */
const isVersionless = (type: number): boolean => type <= TYPE_ECHO_REPLY;

const readableVersion = (bytes: Uint8Array, version: OfVersion): OfVersion | null => {
  if (bytes[0] === version) return version;
  if (!isVersionless(bytes[1]) || bytes[0] === 0) return null;
  return Math.min(bytes[0], 6) as OfVersion;
};

/** Decodes one message of exactly `bytes`, as MessageSplitter cuts them. */
export function decodeMessage(bytes: Uint8Array, context: WireContext): DecodedMessage {
  if (bytes.length < HEADER_BYTES) return { ok: false, xid: 0, error: 'OFPBRC_BAD_LEN' };
  const xid = ((bytes[4] << 24) | (bytes[5] << 16) | (bytes[6] << 8) | bytes[7]) >>> 0;
  const version = readableVersion(bytes, context.version);
  if (version === null) return { ok: false, xid, error: 'OFPBRC_BAD_VERSION' };
  const got = attempt(() => readMessage(new Reader(bytes, { ...context, version })));
  return got.ok ? { ok: true, xid, message: got.value } : { ok: false, xid, error: got.error };
}

/** Reads up to the body: which message it is. */
function readStart(r: Reader) {
  r.skip(1);
  const type = r.u8();
  if (r.u16() !== r.end) r.fail('OFPBRC_BAD_LEN');
  r.skip(4);
  const identity = readIdentity(r, type);
  const row = byWire.get(formKey(identity, r.version)) ?? r.fail(unknownIdentity(identity));
  if (!row.fits(r.left)) r.fail('OFPBRC_BAD_LEN');
  return { identity, row };
}

/** The kind of a message whose body need not be right; null for an unknown one and for one of a wrong length. */
export function messageKind(bytes: Uint8Array, context: WireContext): MessageKind | null {
  const got = attempt(() => readStart(new Reader(bytes, context)).row.kind);
  return got.ok ? got.value : null;
}

function readMessage(r: Reader): Message {
  const { identity, row } = readStart(r);
  const body = row.codec.decode(r) as object;
  r.finish('OFPBRC_BAD_LEN');
  // The row pairs the kind with the codec of its body, which the compiler cannot follow.
  return {
    kind: row.kind,
    ...(row.name === 'of' ? {} : { form: row.name }),
    ...(isMultipart(row.form) ? { more: identity.more } : {}),
    ...body,
  } as Message;
}

/** The form to write; undefined where the version has no such message. */
function rowFor(message: Message, version: OfVersion): Row | undefined {
  const choices = byKind.get(`${version} ${message.kind}`);
  return choices?.find((row) => row.name === (message.form ?? 'of')) ?? choices?.[0];
}

/** True if the version can say such a message. */
export const hasMessage = (kind: MessageKind, version: OfVersion): boolean =>
  byKind.has(`${version} ${kind}`);

/** A message can have no more bytes than its length field can say. */
export const MAX_MESSAGE_BYTES = 0xffff;

/** A message that its version cannot say, or that is too long, is a mistake of who made it. */
export function encodeMessage(message: Message, context: WireContext, xid: number): Uint8Array {
  const row = rowFor(message, context.version);
  if (row === undefined) throw new Error(`no ${message.kind} in version ${context.version}`);
  const w = new Writer(context);
  writeHeader(w, row.form, xid, message.more === true);
  row.codec.encode(w, message);
  if (w.length > MAX_MESSAGE_BYTES) throw new Error(`${message.kind} of ${w.length} bytes`);
  w.patchU16(2, w.length);
  return w.finish();
}

const hasElements = (codec: Codec<unknown>): codec is EntriesCodec<unknown> => 'element' in codec;

/** A multipart whose entries may come into being only while they are written. */
export type Multipart = Pick<Message, 'kind' | 'form' | 'more'> & {
  readonly entries: Iterable<unknown>;
};

/**
 * Encodes a multipart whose entries may need several messages, one after the other as they are asked for; all but the last say that more
 * follow. An entry that fits into no message is left out, and `leftOut` called.
 */
export function* encodeParts(
  message: Multipart,
  context: WireContext,
  xid: number,
  leftOut?: () => void,
): Generator<Uint8Array, void> {
  const row = rowFor(message as Message, context.version);
  if (row === undefined || !hasElements(row.codec)) {
    yield encodeMessage({ ...message, entries: [...message.entries] } as Message, context, xid);
    return;
  }
  let w = new Writer(context);
  writeHeader(w, row.form, xid, false);
  const empty = w.length;
  const close = (more: boolean): Uint8Array => {
    w.patchU16(2, w.length);
    if (more) w.patchU16(MULTIPART_FLAGS_OFFSET, MULTIPART_MORE);
    return w.finish();
  };
  for (const entry of message.entries) {
    const one = new Writer(context);
    row.codec.element.encode(one, entry);
    if (empty + one.length > MAX_MESSAGE_BYTES) {
      leftOut?.();
      continue;
    }
    if (w.length + one.length > MAX_MESSAGE_BYTES) {
      yield close(true);
      w = new Writer(context);
      writeHeader(w, row.form, xid, false);
    }
    w.put(one.finish());
  }
  yield close(message.more === true);
}

/** Requests are quoted up to this in errors: whole, but for what an error message has no room for. */
const QUOTED_BYTES = 0xffff - 64;

/** The error message that answers `request`, in the request's xid. */
export function encodeError(
  error: OfErrorName,
  request: Uint8Array,
  context: WireContext,
): Uint8Array {
  const view = new DataView(request.buffer, request.byteOffset, request.length);
  const xid = request.length >= HEADER_BYTES ? view.getUint32(4) : 0;
  const data = request.slice(0, QUOTED_BYTES);
  return encodeMessage({ kind: 'error', error, data }, context, xid);
}
