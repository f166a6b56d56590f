/**
 * Actions of Nicira's, one row per wire form, as ovs-actions(7) explains them: `vendor 0x2320, subtype:16` and a body.
 * The ones that hold other actions or specs are in actions-nested.ts.
 */
import type {
  ControllerReason,
  EncapProperty,
  HashFields,
  MultipathAlgorithm,
} from '../../flowtable/action.ts';
import { type OfPort, ofPort } from '../../flowtable/of-port.ts';
import {
  type ActionForm,
  type BodyOf,
  checkDestination,
  checkSource,
  hasNxmHeader,
  nicira,
  nothing,
  nxmHeader,
  oxmHeader,
  readRange,
  writeRange,
} from './action-form.ts';
import { readSetField, writeSetField } from './actions-standard.ts';
import type { Reader } from './reader.ts';
import { OF10, OF13, OF14, OF15 } from './versions.ts';
import {
  type Codec,
  mapped,
  named,
  pad,
  rest,
  restBytes,
  struct,
  tlv,
  u8,
  u16,
  u32,
  u64,
  zeros,
} from './wire.ts';

const ALL = [OF10, OF15] as const;
const TO14 = [OF10, OF14] as const;
const SINCE13 = [OF13, OF15] as const;

const OFPP_IN_PORT = 0xfff8;
const OFPP_NONE = 0xffff;
const MAX_BUNDLE_MEMBERS = 2048;
const ETH_HEADER_BYTES = 14;
const PT_USE_NEXT_PROTO = 0xfffe;
/** Ethernet, NSH and the two MPLS types, as namespace << 16 | type. */
const ENCAP_TYPES = [0, 0x1894f, 0x18847, 0x18848];

const port16: Codec<OfPort> = mapped(
  u16,
  (n) => ofPort(n),
  (port) => port,
);

/** The port to resubmit as: IN_PORT leaves it as it is. */
const resubmitPort: Codec<OfPort | null> = mapped(
  u16,
  (n) => (n === OFPP_IN_PORT ? null : ofPort(n)),
  (port) => port ?? OFPP_IN_PORT,
);

const hashFields = named<HashFields>(
  u16,
  {
    eth_src: 0,
    symmetric_l4: 1,
    symmetric_l3l4: 2,
    'symmetric_l3l4+udp': 3,
    nw_src: 4,
    nw_dst: 5,
    symmetric_l3: 6,
  },
  'OFPBAC_BAD_ARGUMENT',
);

const multipathAlgorithm = named<MultipathAlgorithm>(
  u16,
  { modulo_n: 0, hash_threshold: 1, hrw: 2, iter_hash: 3 },
  'OFPBAC_BAD_ARGUMENT',
);

const bundleAlgorithm = named<'active_backup' | 'hrw'>(
  u16,
  { active_backup: 0, hrw: 1 },
  'OFPBAC_BAD_ARGUMENT',
);

const reason = named<ControllerReason>(
  u8,
  { no_match: 0, action: 1, invalid_ttl: 2, action_set: 3, group: 4, packet_out: 5 },
  'OFPBAC_BAD_ARGUMENT',
);

const resubmit: Codec<BodyOf<'resubmit'>> = mapped(
  struct({ port: resubmitPort, _: pad(4) }),
  ({ port }) => ({ port, table: null, withCt: false }),
  ({ port }) => ({ port }),
);

const resubmitTable = (withCt: boolean): Codec<BodyOf<'resubmit'>> =>
  mapped(
    struct({ port: resubmitPort, table: u8, _: zeros(3, 'OFPBAC_BAD_ARGUMENT') }),
    ({ port, table }) => ({ port, table, withCt }),
    ({ port, table }) => ({ port, table: table ?? 0xff }),
  );

const tunnel32: Codec<BodyOf<'setTunnel'>> = mapped(
  struct({ _: pad(2), id: u32 }),
  ({ id }) => ({ id: BigInt(id), is64: false }),
  ({ id }) => ({ id: Number(id) }),
);

const tunnel64: Codec<BodyOf<'setTunnel'>> = mapped(
  struct({ _: pad(6), id: u64 }),
  ({ id }) => ({ id, is64: true }),
  ({ id }) => ({ id }),
);

const outputReg: Codec<BodyOf<'outputReg'>> = {
  decode(r) {
    const range = readRange(r);
    const src = checkSource(r, { field: nxmHeader.decode(r), ...range });
    const maxBytes = r.u16();
    r.zeros(6, 'OFPBAC_BAD_ARGUMENT');
    return { src, maxBytes };
  },
  encode(w, { src, maxBytes }) {
    writeRange(w, src);
    nxmHeader.encode(w, src.field);
    w.u16(maxBytes);
    w.zeros(6);
  },
};

/** For fields whose header is longer than 32 bits. */
const outputReg2: Codec<BodyOf<'outputReg'>> = {
  decode(r) {
    const range = readRange(r);
    const maxBytes = r.u16();
    const src = checkSource(r, { field: oxmHeader.decode(r), ...range });
    r.zeros(r.left, 'NXBRC_MUST_BE_ZERO');
    return { src, maxBytes };
  },
  encode(w, { src, maxBytes }) {
    writeRange(w, src);
    w.u16(maxBytes);
    oxmHeader.encode(w, src.field);
  },
};

const load: Codec<BodyOf<'load'>> = {
  decode(r) {
    const range = readRange(r);
    const dst = checkDestination(r, { field: nxmHeader.decode(r), ...range });
    const value = r.u64();
    if (value >> BigInt(dst.bits) !== 0n) r.fail('OFPBAC_BAD_ARGUMENT');
    return { dst, value };
  },
  encode(w, { dst, value }) {
    writeRange(w, dst);
    nxmHeader.encode(w, dst.field);
    w.u64(value);
  },
};

/** NXAST_REG_LOAD2: a set-field with mask for the versions that have none. */
const load2: Codec<BodyOf<'setField'>> = {
  decode: (r) => readSetField(r, true),
  encode: (w, body) => writeSetField(w, body, 'nxm'),
};

/** The stack's subfield: `offset header bits`. */
const stack = {
  decode(r: Reader) {
    const offset = r.u16();
    const field = oxmHeader.decode(r);
    const bits = r.u16();
    r.zeros(r.left, 'OFPBAC_BAD_ARGUMENT');
    return { field, offset, bits };
  },
  encode(w: Parameters<typeof oxmHeader.encode>[0], s: BodyOf<'push'>['src']) {
    w.u16(s.offset);
    oxmHeader.encode(w, s.field);
    w.u16(s.bits);
  },
};

const push: Codec<BodyOf<'push'>> = {
  decode: (r) => ({ src: checkSource(r, stack.decode(r)) }),
  encode: (w, { src }) => stack.encode(w, src),
};

const pop: Codec<BodyOf<'pop'>> = {
  decode: (r) => ({ dst: checkDestination(r, stack.decode(r)) }),
  encode: (w, { dst }) => stack.encode(w, dst),
};

const multipath: Codec<BodyOf<'multipath'>> = {
  decode(r) {
    const fields = hashFields.decode(r);
    const basis = r.u16();
    r.skip(2);
    const algorithm = multipathAlgorithm.decode(r);
    const links = r.u16() + 1;
    const arg = r.u32();
    r.skip(2);
    const range = readRange(r);
    const dst = checkDestination(r, { field: nxmHeader.decode(r), ...range });
    if (dst.bits < 16 && links > 1 << dst.bits) r.fail('OFPBAC_BAD_ARGUMENT');
    return { fields, basis, algorithm, links, arg, dst };
  },
  encode(w, m) {
    hashFields.encode(w, m.fields);
    w.u16(m.basis);
    w.zeros(2);
    multipathAlgorithm.encode(w, m.algorithm);
    w.u16(m.links - 1);
    w.u32(m.arg);
    w.zeros(2);
    writeRange(w, m.dst);
    nxmHeader.encode(w, m.dst.field);
  },
};

/** NXM_OF_IN_PORT's header: members are ports. */
const MEMBER_TYPE = 0x00000002;

const bundle = (isLoad: boolean): Codec<BodyOf<'bundle'>> => ({
  decode(r) {
    const algorithm = bundleAlgorithm.decode(r);
    const fields = hashFields.decode(r);
    const basis = r.u16();
    const memberType = r.u32();
    const count = r.u16();
    const badMembers = memberType !== MEMBER_TYPE || count > MAX_BUNDLE_MEMBERS;
    if (badMembers) r.fail('OFPBAC_BAD_ARGUMENT');
    let dst: BodyOf<'bundle'>['dst'] = null;
    if (isLoad) {
      const range = readRange(r);
      dst = checkDestination(r, { field: nxmHeader.decode(r), ...range });
      if (dst.bits < 16) r.fail('OFPBAC_BAD_ARGUMENT');
    } else {
      r.zeros(6, 'OFPBAC_BAD_ARGUMENT');
    }
    r.zeros(4, 'OFPBAC_BAD_ARGUMENT');
    r.need(2 * count);
    const members = Array.from({ length: count }, () => ofPort(r.u16()));
    return { algorithm, fields, basis, members, dst };
  },
  encode(w, b) {
    bundleAlgorithm.encode(w, b.algorithm);
    hashFields.encode(w, b.fields);
    w.u16(b.basis);
    w.u32(MEMBER_TYPE);
    w.u16(b.members.length);
    if (b.dst === null) {
      w.zeros(6);
    } else {
      writeRange(w, b.dst);
      nxmHeader.encode(w, b.dst.field);
    }
    w.zeros(4);
    for (const member of b.members) w.u16(member);
  },
});

const controller: Codec<BodyOf<'controller'>> = mapped(
  struct({ maxBytes: u16, controllerId: u16, reason, _: zeros(1, 'OFPBAC_BAD_ARGUMENT') }),
  (body) => ({ ...body, userdata: null, meterId: null, pause: false }),
  ({ maxBytes, controllerId, reason: why }) => ({ maxBytes, controllerId, reason: why }),
);

/** The specification pads 16-bit properties to 8 bytes within their length, so that any slack is let pass. */
const slack = (count: number): Codec<undefined> => ({
  decode(r) {
    r.skip(r.left);
    return undefined;
  },
  encode: (w) => w.zeros(count),
});

const controllerProperties = rest(
  tlv(
    {
      maxBytes: { type: 0, body: struct({ maxBytes: u16, _: pad(2) }) },
      controllerId: { type: 1, body: struct({ controllerId: u16, _: pad(2) }) },
      reason: { type: 2, body: struct({ reason, _: slack(0) }) },
      userdata: { type: 3, body: struct({ userdata: restBytes }) },
      pause: { type: 4, body: struct({}) },
      meterId: { type: 5, body: struct({ meterId: u32 }) },
    },
    { padding: 8, badType: 'OFPBPC_BAD_TYPE', badLength: 'OFPBPC_BAD_LEN' },
  ),
);

const DEFAULT_CONTROLLER: BodyOf<'controller'> = {
  maxBytes: 0xffff,
  controllerId: 0,
  reason: 'action',
  userdata: null,
  meterId: null,
  pause: false,
};

/** NXAST_CONTROLLER2: only what differs from the defaults, as properties. */
const controller2: Codec<BodyOf<'controller'>> = {
  decode(r) {
    r.zeros(6, 'NXBRC_MUST_BE_ZERO');
    let body = DEFAULT_CONTROLLER;
    for (const { kind, ...property } of controllerProperties.decode(r)) {
      body = kind === 'pause' ? { ...body, pause: true } : { ...body, ...property };
    }
    return body;
  },
  encode(w, c) {
    w.zeros(6);
    const userdata = c.userdata;
    controllerProperties.encode(w, [
      ...(c.maxBytes === 0xffff ? [] : [{ kind: 'maxBytes', maxBytes: c.maxBytes } as const]),
      ...(c.controllerId === 0
        ? []
        : [{ kind: 'controllerId', controllerId: c.controllerId } as const]),
      ...(c.reason === 'action' ? [] : [{ kind: 'reason', reason: c.reason } as const]),
      ...(userdata === null || userdata.length === 0
        ? []
        : [{ kind: 'userdata', userdata } as const]),
      ...(c.pause ? [{ kind: 'pause' } as const] : []),
      ...(c.meterId === null ? [] : [{ kind: 'meterId', meterId: c.meterId } as const]),
    ]);
  },
};

const needsProperties = (c: BodyOf<'controller'>): boolean =>
  c.userdata !== null || c.pause || c.meterId !== null;

const decTtlIds: Codec<BodyOf<'decTtl'>> = {
  decode(r) {
    const count = r.u16();
    r.zeros(4, 'NXBRC_MUST_BE_ZERO');
    r.need(2 * count);
    return { controllerIds: Array.from({ length: count }, () => r.u16()) };
  },
  encode(w, { controllerIds }) {
    w.u16(controllerIds.length);
    w.zeros(4);
    for (const id of controllerIds) w.u16(id);
  },
};

const conjunction: Codec<BodyOf<'conjunction'>> = {
  decode(r) {
    const body = struct({ clause: u8, clauses: u8, id: u32 }).decode(r);
    const bad = body.clauses < 2 || body.clauses > 64 || body.clause >= body.clauses;
    return bad ? r.fail('NXBAC_BAD_CONJUNCTION') : body;
  },
  encode: struct({ clause: u8, clauses: u8, id: u32 }).encode,
};

const sampleFields = {
  probability: u16,
  collectorSet: u32,
  obsDomain: u32,
  obsPoint: u32,
};

const checkProbability = (r: Reader, body: BodyOf<'sample'>): BodyOf<'sample'> =>
  body.probability === 0 ? r.fail('OFPBAC_BAD_ARGUMENT') : body;

const samplingPort: Codec<OfPort | null> = mapped(
  u16,
  (n) => (n === OFPP_NONE ? null : ofPort(n)),
  (port) => port ?? OFPP_NONE,
);

const sample: Codec<BodyOf<'sample'>> = {
  decode: (r) =>
    checkProbability(r, {
      ...struct(sampleFields).decode(r),
      samplingPort: null,
      direction: 'default',
    }),
  encode: (w, body) => struct(sampleFields).encode(w, body),
};

const sample2Fields = struct({ ...sampleFields, samplingPort, _: pad(6) });
const sample2: Codec<BodyOf<'sample'>> = {
  decode: (r) => checkProbability(r, { ...sample2Fields.decode(r), direction: 'default' }),
  encode: (w, body) => sample2Fields.encode(w, body),
};

const sample3Fields = struct({
  ...sampleFields,
  samplingPort,
  direction: named<'default' | 'ingress' | 'egress'>(
    u8,
    { default: 0, ingress: 1, egress: 2 },
    'OFPBAC_BAD_ARGUMENT',
  ),
  _: zeros(5, 'NXBRC_MUST_BE_ZERO'),
});
const sample3: Codec<BodyOf<'sample'>> = {
  decode: (r) => checkProbability(r, sample3Fields.decode(r)),
  encode: sample3Fields.encode,
};

const checkPktLarger: Codec<BodyOf<'checkPktLarger'>> = {
  decode(r) {
    const bytes = r.u16();
    const offset = r.u16();
    const dst = checkDestination(r, { field: oxmHeader.decode(r), offset, bits: 1 });
    r.zeros(r.left, 'NXBRC_MUST_BE_ZERO');
    return { bytes, dst };
  },
  encode(w, { bytes, dst }) {
    w.u16(bytes);
    w.u16(dst.offset);
    oxmHeader.encode(w, dst.field);
  },
};

const deleteField: Codec<BodyOf<'deleteField'>> = {
  decode(r) {
    const field = oxmHeader.decode(r);
    r.zeros(r.left, 'NXBRC_MUST_BE_ZERO');
    return { field };
  },
  encode: (w, { field }) => oxmHeader.encode(w, field),
};

const NSH_PROPERTIES = 4;
const NSH_MD_TYPE = 1;
const NSH_TLV = 2;

/** NSH's properties: its metadata type, and TLVs `class:16 type:8 length:8` with data padded to 8 bytes. */
function checkEncapProperty(r: Reader, property: EncapProperty): void {
  const { type, data } = property;
  const known = property.class === NSH_PROPERTIES && (type === NSH_MD_TYPE || type === NSH_TLV);
  if (!known) r.fail('NXBAC_UNKNOWN_ED_PROP');
  const fits =
    type === NSH_MD_TYPE
      ? data.length >= 1 && data.length <= 4
      : data.length >= 4 && data.length === 4 + ((data[3] + 7) & ~7);
  if (!fits) r.fail('NXBAC_BAD_ED_PROP');
}

/** A property of encap: `class:16 type:8 length:8`, the length without the padding to 8. */
const encapProperty: Codec<EncapProperty> = {
  decode(r) {
    const head = { class: r.u16(), type: r.u8() };
    const length = r.u8();
    if (length < 4 || ((length + 7) & ~7) - 4 > r.left) r.fail('OFPBAC_BAD_LEN');
    const property = { ...head, data: r.copy(length - 4) };
    r.skip(((length + 7) & ~7) - length);
    checkEncapProperty(r, property);
    return property;
  },
  encode(w, property) {
    const start = w.length;
    w.u16(property.class);
    w.u8(property.type);
    w.u8(property.data.length + 4);
    w.put(property.data);
    w.padTo(8, start);
  },
};

const encap: Codec<BodyOf<'encap'>> = {
  decode(r) {
    r.skip(2);
    const packetType = r.u32();
    if (!ENCAP_TYPES.includes(packetType)) r.fail('NXBAC_BAD_HEADER_TYPE');
    return { packetType, properties: rest(encapProperty).decode(r) };
  },
  encode(w, { packetType, properties }) {
    w.u16(0);
    w.u32(packetType);
    rest(encapProperty).encode(w, properties);
  },
};

/** It has no properties yet. */
const decap: Codec<BodyOf<'decap'>> = {
  decode(r) {
    r.skip(2);
    const type = r.u32();
    if (r.left > 0) r.fail('NXBAC_UNKNOWN_ED_PROP');
    return { newPacketType: type === PT_USE_NEXT_PROTO ? null : type };
  },
  encode(w, { newPacketType }) {
    w.zeros(2);
    w.u32(newPacketType ?? PT_USE_NEXT_PROTO);
  },
};

const outputTruncFields = struct({ port: port16, maxBytes: u32 });

/** What is left of a frame has its Ethernet header at least. */
const outputTrunc: Codec<BodyOf<'outputTrunc'>> = {
  decode(r) {
    const body = outputTruncFields.decode(r);
    return body.maxBytes < ETH_HEADER_BYTES ? r.fail('OFPBAC_BAD_ARGUMENT') : body;
  },
  encode: outputTruncFields.encode,
};

const longer = { mayBeLonger: true } as const;

export const NICIRA_FORMS: readonly ActionForm[] = [
  nicira('resubmit', ALL, 1, 16, resubmit, {
    accepts: ({ table, withCt }) => table === null && !withCt,
  }),
  nicira('resubmit', ALL, 14, 16, resubmitTable(false), { accepts: ({ withCt }) => !withCt }),
  nicira('resubmit', ALL, 44, 16, resubmitTable(true)),
  nicira('setTunnel', ALL, 2, 16, tunnel32, {
    accepts: ({ id, is64 }) => !is64 && id >> 32n === 0n,
  }),
  nicira('setTunnel', ALL, 9, 24, tunnel64),
  nicira('outputReg', ALL, 15, 24, outputReg, { accepts: ({ src }) => hasNxmHeader(src.field) }),
  nicira('outputReg', ALL, 32, 24, outputReg2),
  nicira('outputTrunc', ALL, 39, 16, outputTrunc),
  nicira('load', TO14, 7, 24, load),
  nicira('setField', TO14, 33, 16, load2, longer),
  nicira('push', ALL, 27, 24, push),
  nicira('pop', ALL, 28, 24, pop),
  nicira('multipath', ALL, 10, 32, multipath),
  nicira('bundle', ALL, 12, 32, bundle(false), { ...longer, accepts: ({ dst }) => dst === null }),
  nicira('bundle', ALL, 13, 32, bundle(true), longer),
  nicira('controller', ALL, 20, 16, controller, { accepts: (c) => !needsProperties(c) }),
  nicira('controller', ALL, 37, 16, controller2, longer),
  nicira('decTtl', ALL, 21, 16, decTtlIds, longer),
  nicira('note', ALL, 8, 16, struct({ data: restBytes }), longer),
  nicira('exit', ALL, 17, 16, nothing),
  nicira('debugSlow', ALL, 254, 16, nothing),
  nicira('debugRecirc', ALL, 255, 16, nothing),
  nicira(
    'finTimeout',
    ALL,
    19,
    16,
    struct({ idleSeconds: u16, hardSeconds: u16, _: zeros(2, 'NXBRC_MUST_BE_ZERO') }),
  ),
  nicira(
    'writeMetadata',
    ALL,
    22,
    32,
    struct({ _: zeros(6, 'NXBRC_MUST_BE_ZERO'), value: u64, mask: u64 }),
  ),
  nicira('conjunction', ALL, 34, 16, conjunction),
  nicira('sample', ALL, 29, 24, sample, {
    accepts: (s) => s.samplingPort === null && s.direction === 'default',
  }),
  nicira('sample', ALL, 38, 32, sample2, { accepts: (s) => s.direction === 'default' }),
  nicira('sample', ALL, 41, 32, sample3),
  nicira('checkPktLarger', ALL, 49, 24, checkPktLarger),
  nicira('deleteField', ALL, 50, 24, deleteField),
  nicira('ctClear', ALL, 43, 16, nothing),
  nicira('encap', SINCE13, 46, 16, encap, longer),
  nicira('decap', SINCE13, 47, 16, decap, longer),
  nicira('decNshTtl', SINCE13, 48, 16, nothing),
];
