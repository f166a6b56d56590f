/**
 * What stands before a message's body: version, type, length and transaction id, and for multiparts and experimenter messages the
 * further words that say which message it is (OpenFlow 1.3.5, 7.1, 7.3.5, 7.5.4).
 *
 * A form names a place in this space: `organisation versions number`, such as `of 1.3+ 29`, `request 1.0 1`, `nx 1.0+ 13` or
 * `onf-reply 1.3 1870`. `of` is a plain type; `request` and `reply` are multiparts by their multipart type; `nx` and `onf` are experimenter
 * messages, and with -request or -reply experimenter multiparts, by their subtype.
 */
import type { Reader } from './reader.ts';
import { OF10, type OfVersion } from './versions.ts';
import type { Writer } from './writer.ts';

const NICIRA = 0x2320;
const ONF = 0x4f4e4600;

/** An experimenter message in every version. */
const TYPE_EXPERIMENTER = 4;
const MULTIPART_EXPERIMENTER = 0xffff;
const FLAG_MORE = 1;

export const HEADER_BYTES = 8;

const ORGANISATIONS = [
  'of',
  'request',
  'reply',
  'nx',
  'onf',
  'nx-request',
  'nx-reply',
  'onf-request',
  'onf-reply',
] as const;
type Organisation = (typeof ORGANISATIONS)[number];

export interface Form {
  readonly organisation: Organisation;
  readonly first: OfVersion;
  readonly last: OfVersion;
  readonly number: number;
}

/** "1.0" is 1, "1.5" is 6. */
const wireVersion = (text: string): OfVersion => (Number(text[2]) + 1) as OfVersion;

export function parseForm(text: string): Form {
  const [organisation, versions, number] = text.split(' ');
  const first = wireVersion(versions);
  return {
    organisation: organisation as Organisation,
    first,
    last: versions.endsWith('+') ? 6 : wireVersion(versions.slice(-3)),
    number: Number(number),
  };
}

export const formKey = (form: Pick<Form, 'organisation' | 'number'>, version: number): string =>
  `${version} ${form.organisation} ${form.number}`;

export const isMultipart = (form: Pick<Form, 'organisation'>): boolean =>
  form.organisation.endsWith('request') || form.organisation.endsWith('reply');

export interface Identity extends Pick<Form, 'organisation' | 'number'> {
  /** Of a multipart: more parts follow. */
  readonly more: boolean;
}

/** Type of a multipart request; replies have the next. */
const multipartType = (version: number): number => (version === OF10 ? 16 : 18);

const organisationOf = (r: Reader): 'nx' | 'onf' => {
  const experimenter = r.u32();
  if (experimenter === NICIRA) return 'nx';
  return experimenter === ONF ? 'onf' : r.fail('OFPBRC_BAD_VENDOR');
};

function readMultipart(r: Reader, direction: 'request' | 'reply'): Identity {
  const number = r.u16();
  const more = (r.u16() & FLAG_MORE) !== 0;
  if (r.version !== OF10) r.skip(4);
  if (number !== MULTIPART_EXPERIMENTER) return { organisation: direction, number, more };
  if (r.version !== OF10) r.need(8);
  const organisation = organisationOf(r);
  // Nicira defined its multiparts for 1.0 only, where ONF has none.
  if (r.version === OF10 && organisation === 'onf') r.fail('OFPBRC_BAD_VENDOR');
  const subtype = r.u32();
  if (r.version === OF10) r.skip(4);
  return { organisation: `${organisation}-${direction}`, number: subtype, more };
}

/** Reads on after version, type, length and xid. */
export function readIdentity(r: Reader, type: number): Identity {
  if (type === TYPE_EXPERIMENTER) {
    r.need(8);
    const organisation = organisationOf(r);
    return { organisation, number: r.u32(), more: false };
  }
  const request = multipartType(r.version);
  if (type === request) return readMultipart(r, 'request');
  if (type === request + 1) return readMultipart(r, 'reply');
  return { organisation: 'of', number: type, more: false };
}

function writeMultipart(w: Writer, form: Form, more: boolean): void {
  const experimenter = form.organisation.includes('-');
  w.u16(experimenter ? MULTIPART_EXPERIMENTER : form.number);
  w.u16(more ? FLAG_MORE : 0);
  if (w.version !== OF10) w.zeros(4);
  if (!experimenter) return;
  w.u32(form.organisation.startsWith('nx') ? NICIRA : ONF);
  w.u32(form.number);
  if (w.version === OF10) w.zeros(4);
}

/** Writes all that stands before the body; the length is patched when the body is complete. */
export function writeHeader(w: Writer, form: Form, xid: number, more: boolean): void {
  const { organisation, number } = form;
  w.u8(w.version);
  if (isMultipart(form)) w.u8(multipartType(w.version) + (organisation.endsWith('reply') ? 1 : 0));
  else w.u8(organisation === 'of' ? number : TYPE_EXPERIMENTER);
  w.u16(0);
  w.u32(xid);
  if (isMultipart(form)) writeMultipart(w, form, more);
  else if (organisation !== 'of') {
    w.u32(organisation === 'nx' ? NICIRA : ONF);
    w.u32(number);
  }
}

/** Offset of the multipart flags' low byte, the same in every version. */
export const MULTIPART_FLAGS_OFFSET = 10;
export const MULTIPART_MORE = FLAG_MORE;

/** Error of an identity that no form has. */
export const unknownIdentity = (identity: Identity) => {
  if (identity.organisation.startsWith('nx') || identity.organisation.startsWith('onf')) {
    return 'OFPBRC_BAD_SUBTYPE';
  }
  return isMultipart(identity) ? 'OFPBRC_BAD_STAT' : 'OFPBRC_BAD_TYPE';
};
