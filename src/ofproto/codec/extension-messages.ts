/**
 * Bundles (OpenFlow 1.4.1, 7.3.9; ONF's extension for 1.3), forwarded requests, and what Nicira added besides: the TLV table that maps Geneve
 * options to fields, flushing of tracked connections, and IPFIX statistics.
 */
import { TLV_FIELDS } from '../../packet/tlv-table.ts';
import { HEADER_BYTES } from './header.ts';
import { entries, nothing, readProperties } from './message-parts.ts';
import { WireError } from './reader.ts';
import {
  type Codec,
  named,
  pad,
  rest,
  restBytes,
  struct,
  u8,
  u16,
  u32,
  u64,
  zeros,
} from './wire.ts';

const bundleControl = struct({
  bundleId: u32,
  type: named(
    u16,
    {
      openRequest: 0,
      openReply: 1,
      closeRequest: 2,
      closeReply: 3,
      commitRequest: 4,
      commitReply: 5,
      discardRequest: 6,
      discardReply: 7,
    },
    'OFPBFC_BAD_TYPE',
  ),
  /** OFPBF_*: atomic 1, ordered 2. */
  flags: u16,
  properties: restBytes,
});

interface BundleAdd {
  readonly bundleId: number;
  /** OFPBF_*. */
  readonly flags: number;
  /** A whole message with its header, of the version and xid of the bundle's message; read, a view of that. */
  readonly bundled: Uint8Array;
  readonly properties: Uint8Array;
}

/**
 * The message in the message is cut out and its header checked, no more; who adds it to the bundle decodes it. `r.bytes` begins with the
 * outer header, whose xid the inner one has to have.
 */
const bundleAdd: Codec<BundleAdd> = {
  decode(r) {
    const bundleId = r.u32();
    r.skip(2);
    const flags = r.u16();
    if (r.left < HEADER_BYTES) r.fail('OFPBFC_MSG_BAD_LEN');
    const length = r.peekU16(2);
    if (r.bytes[r.offset] !== r.version) r.fail('OFPBFC_BAD_VERSION');
    if (length < HEADER_BYTES || length > r.left) r.fail('OFPBFC_MSG_BAD_LEN');
    const bundled = r.look(length);
    for (let i = 4; i < HEADER_BYTES; i++) {
      if (bundled[i] !== r.bytes[i]) r.fail('OFPBFC_MSG_BAD_XID');
    }
    r.skip(Math.min((8 - (length & 7)) & 7, r.left));
    return { bundleId, flags, bundled, properties: r.rest() };
  },
  encode(w, value) {
    w.u32(value.bundleId);
    w.zeros(2);
    w.u16(value.flags);
    const start = w.length;
    w.put(value.bundled);
    if (value.properties.length === 0) return;
    w.padTo(8, start);
    w.put(value.properties);
  },
};

/** A group or meter modification that another controller made; a whole message. */
const requestForward: Codec<{ readonly request: Uint8Array }> = {
  decode(r) {
    if (r.left < HEADER_BYTES) r.fail('OFPBRC_BAD_LEN');
    const length = r.peekU16(2);
    if (length < HEADER_BYTES || length > r.left) r.fail('OFPBFC_MSG_BAD_LEN');
    const request = r.copy(length);
    r.skip(r.left);
    return { request };
  },
  encode(w, value) {
    const start = w.length;
    w.put(value.request);
    w.padTo(8, start);
  },
};

/** An option of Geneve and the tun_metadata field that it is seen as. */
const tlvMap = struct({
  optionClass: u16,
  optionType: u8,
  /** Bytes, a multiple of 4. */
  optionLength: u8,
  /** 0..63. */
  index: u16,
  _pad: pad(2),
});

/** The last of the properties: original tuple, reply tuple, zone. */
const CT_ZONE = 2;

const TLV_MAX_BYTES = 124;

/** Of a table in a modification; what a reply tells is not judged. */
const checkedTlvMap: Codec<ReturnType<typeof tlvMap.decode>> = {
  decode(r) {
    const map = tlvMap.decode(r);
    const { optionLength, index } = map;
    if (optionLength % 4 !== 0 || optionLength > TLV_MAX_BYTES) {
      throw new WireError('NXTTMFC_BAD_OPT_LEN');
    }
    if (index >= TLV_FIELDS) throw new WireError('NXTTMFC_BAD_FIELD_IDX');
    return map;
  },
  encode: (w, value) => tlvMap.encode(w, value),
};

const tlvTableMod = struct({
  command: named(u16, { add: 0, delete: 1, clear: 2 }, 'NXTTMFC_BAD_COMMAND'),
  _pad: pad(6),
  maps: rest(checkedTlvMap),
});

const tlvTableReply = struct({
  /** Bytes of options that fields can have together. */
  maxOptionSpace: u32,
  maxFields: u16,
  _pad: pad(10),
  maps: rest(tlvMap),
});

const ipfixStats = struct({
  totalFlows: u64,
  currentFlows: u64,
  packets: u64,
  ipv4Packets: u64,
  ipv6Packets: u64,
  errorPackets: u64,
  ipv4ErrorPackets: u64,
  ipv6ErrorPackets: u64,
  txPackets: u64,
  txErrors: u64,
  collectorSet: u32,
  _pad: pad(4),
});

/** The two tuples and the zone, of which only the outer form is checked. */
const ctFlushProperties: Codec<Uint8Array> = {
  decode(r) {
    const start = r.offset;
    readProperties(r, ({ type, experimenter }) => experimenter === null && type <= CT_ZONE);
    return r.bytes.slice(start, r.offset);
  },
  encode: (w, value) => w.put(value),
};

export const extensionMessages = {
  bundleControl: { 'of 1.4+ 33': bundleControl, 'onf 1.3-1.3 2300': bundleControl },
  bundleAdd: { 'of 1.4+ 34': bundleAdd, 'onf 1.3-1.3 2301': bundleAdd },
  requestForward: {
    'of 1.4+ 32': requestForward,
    'onf 1.3-1.3 2350': requestForward,
    'nx 1.0-1.2 132': requestForward,
  },
  tlvTableMod: { 'nx 1.0+ 24': tlvTableMod },
  tlvTableRequest: { 'nx 1.0+ 25': nothing },
  tlvTableReply: { 'nx 1.0+ 26': tlvTableReply },
  ctFlushZone: { 'nx 1.0+ 29': struct({ _pad: zeros(6, 'NXBRC_MUST_BE_ZERO'), zone: u16 }) },
  /** Connections of a zone by their addresses; the properties are left to who tracks connections. */
  ctFlush: {
    'nx 1.0+ 32': struct({
      ipProto: u8,
      _pad: zeros(7, 'NXBRC_MUST_BE_ZERO'),
      properties: ctFlushProperties,
    }),
  },
  ipfixBridgeRequest: { 'nx-request 1.0+ 3': nothing },
  ipfixBridgeReply: { 'nx-reply 1.0+ 3': ipfixStats },
  ipfixFlowRequest: { 'nx-request 1.0+ 4': nothing },
  ipfixFlowReply: { 'nx-reply 1.0+ 4': entries(ipfixStats) },
} as const;
