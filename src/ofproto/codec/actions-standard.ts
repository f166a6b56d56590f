/**
 * Actions of the specifications, one row per wire form: OpenFlow 1.0.2, 5.2.4; 1.1, A.2.5; 1.3.5, 7.2.5; 1.5.1,
 * 7.2.6. Some are Nicira's in the versions that lack them. Since 1.2 set-field takes the place of the single setters, which
 * Open vSwitch still understands; actions-lower.ts chooses what is written.
 */
import { OFPP_NORMAL, type OfPort } from '../../flowtable/of-port.ts';
import { type Field, fullMask } from '../../packet/fields.ts';
import {
  type ActionForm,
  type BodyOf,
  checkDestination,
  checkSource,
  nicira,
  nothing,
  onf,
  oxmHeader,
  standard,
} from './action-form.ts';
import type { OfErrorName } from './errors.ts';
import { isValueValid } from './match-fields.ts';
import {
  type OxmFlavour,
  readFieldName,
  readOxmEntry,
  wireOnes,
  writeOxmEntry,
  writeOxmHeader,
} from './oxm.ts';
import { portNumber } from './ports.ts';
import type { Reader } from './reader.ts';
import { OF10, OF11, OF12, OF13, OF14, OF15 } from './versions.ts';
import { type Codec, mapped, pad, struct, u8, u16, u32 } from './wire.ts';

const ALL = [OF10, OF15] as const;
const V10 = [OF10, OF10] as const;
const SINCE11 = [OF11, OF15] as const;

const FIRST_RESERVED_PORT = 0xff00;
const FIRST_NAMED_PORT = 0xfff8;
const OFPP_NONE = 0xffff;

/** A codec whose value must satisfy a condition when it is read. */
const checked = <T>(
  codec: Codec<T>,
  holds: (value: T) => boolean,
  error: OfErrorName = 'OFPBAC_BAD_ARGUMENT',
): Codec<T> => ({
  decode(r) {
    const value = codec.decode(r);
    return holds(value) ? value : r.fail(error);
  },
  encode: (w, value) => codec.encode(w, value),
});

const upTo = (codec: Codec<number>, most: number): Codec<number> =>
  checked(codec, (value) => value <= most);

const mac: Codec<bigint> = {
  decode: (r) => r.uint(6),
  encode: (w, value) => w.uint(value, 6),
};

/** Where frames may be sent: ports and reserved ports, but OFPP_NONE. */
const canOutput = (port: OfPort): boolean =>
  port < FIRST_RESERVED_PORT || (port >= FIRST_NAMED_PORT && port !== OFPP_NONE);

const outputPort = checked(portNumber, canOutput, 'OFPBAC_BAD_OUT_PORT');

const queuePort = checked(
  portNumber,
  (port) => port < FIRST_RESERVED_PORT || port === FIRST_NAMED_PORT || port === 0xfffe,
  'OFPBAC_BAD_OUT_PORT',
);

const output10 = struct({ port: outputPort, maxBytes: u16 });
const output11 = struct({ port: outputPort, maxBytes: u16, _: pad(6) });

/** Output to NORMAL, which the model has as a kind of its own. */
const normalOf = (output: Codec<BodyOf<'output'>>): Codec<BodyOf<'normal'>> =>
  mapped(
    output,
    () => ({}),
    () => ({ port: OFPP_NORMAL, maxBytes: 0 }),
  );

const vlanVid = (pushIfNeeded: boolean): Codec<BodyOf<'setVlanVid'>> =>
  mapped(
    struct({ vid: upTo(u16, 0xfff), _: pad(2) }),
    ({ vid }) => ({ vid, pushIfNeeded }),
    ({ vid }) => ({ vid }),
  );

const vlanPcp = (pushIfNeeded: boolean): Codec<BodyOf<'setVlanPcp'>> =>
  mapped(
    struct({ pcp: upTo(u8, 7), _: pad(3) }),
    ({ pcp }) => ({ pcp, pushIfNeeded }),
    ({ pcp }) => ({ pcp }),
  );

const vlanType = checked(u16, (type) => type === 0x8100 || type === 0x88a8);
const mplsType = checked(u16, (type) => type === 0x8847 || type === 0x8848);
const pbbType = checked(u16, (type) => type === 0x88e7);

const ethSetter = struct({ mac, _: pad(6) });
const portSetter = struct({ port: u16, _: pad(2) });
const nothing4 = struct({ _: pad(4) });

const popVlan: Codec<BodyOf<'stripVlan'>> = mapped(
  nothing4,
  () => ({ pop: true }),
  () => ({}),
);

const simpleDecTtl: Codec<BodyOf<'decTtl'>> = mapped(
  nothing,
  () => ({ controllerIds: [0] }),
  () => ({}),
);

const VLAN_PRESENT = 0x1000n;

/** What set-field carries: vlan_vid without the present bit that the wire asks for (OpenFlow 1.5.1, 7.2.6.7). */
function checkSetField(r: Reader, f: Field, value: bigint, mask: bigint): void {
  const settable = f.writable && f.name !== 'in_port_oxm' && isValueValid(f, value);
  if (!settable) r.fail('OFPBAC_BAD_SET_ARGUMENT');
  const present = (value & VLAN_PRESENT) !== 0n && (mask & VLAN_PRESENT) !== 0n;
  if (f.name === 'vlan_vid' && !present) r.fail('OFPBAC_BAD_SET_ARGUMENT');
}

export function readSetField(r: Reader, mayMask: boolean): BodyOf<'setField'> {
  const entry = readOxmEntry(r, 'action');
  const f = entry.field;
  if (entry.mask !== null && !mayMask) r.fail('OFPBAC_BAD_SET_MASK');
  r.zeros(r.left, 'OFPBAC_BAD_SET_ARGUMENT');
  checkSetField(r, f, entry.value, entry.mask ?? wireOnes(f));
  const all = fullMask(f);
  return { field: f, value: entry.value & all, mask: (entry.mask ?? all) & all };
}

export function writeSetField(
  w: Parameters<typeof writeOxmEntry>[0],
  { field: f, value, mask }: BodyOf<'setField'>,
  flavour: OxmFlavour,
): void {
  const present = f.name === 'vlan_vid' ? VLAN_PRESENT : 0n;
  const open = mask === fullMask(f) ? null : mask | present;
  writeOxmEntry(w, { field: f, value: value | present, mask: open }, flavour);
}

const setField = (mayMask: boolean): Codec<BodyOf<'setField'>> => ({
  decode: (r) => readSetField(r, mayMask),
  encode: (w, body) => writeSetField(w, body, w.version),
});

/** Copy-field: `bits src_offset dst_offset`, and the two fields' headers (OpenFlow 1.5.1, 7.2.6.8). */
const copyField: Codec<BodyOf<'move'>> = {
  decode(r) {
    const bits = r.u16();
    const from = r.u16();
    const to = r.u16();
    r.skip(2);
    const src = checkSource(r, { field: readFieldName(r), offset: from, bits });
    const dst = checkDestination(r, { field: readFieldName(r), offset: to, bits });
    r.zeros(r.left, 'NXBRC_MUST_BE_ZERO');
    return { src, dst };
  },
  encode(w, { src, dst }) {
    w.u16(dst.bits);
    w.u16(src.offset);
    w.u16(dst.offset);
    w.zeros(2);
    writeOxmHeader(w, src.field, false, w.version);
    writeOxmHeader(w, dst.field, false, w.version);
  },
};

/** ONF's copy-field for 1.3 has two more bytes in front. */
const copyFieldOnf: Codec<BodyOf<'move'>> = {
  decode(r) {
    r.skip(2);
    return copyField.decode(r);
  },
  encode(w, body) {
    w.zeros(2);
    copyField.encode(w, body);
  },
};

/** NXAST_REG_MOVE: `bits src_offset dst_offset src dst`. */
const regMove: Codec<BodyOf<'move'>> = {
  decode(r) {
    const bits = r.u16();
    const from = r.u16();
    const to = r.u16();
    const src = checkSource(r, { field: oxmHeader.decode(r), offset: from, bits });
    const dst = checkDestination(r, { field: oxmHeader.decode(r), offset: to, bits });
    r.zeros(r.left, 'NXBRC_MUST_BE_ZERO');
    return { src, dst };
  },
  encode(w, { src, dst }) {
    w.u16(dst.bits);
    w.u16(src.offset);
    w.u16(dst.offset);
    oxmHeader.encode(w, src.field);
    oxmHeader.encode(w, dst.field);
  },
};

export const STANDARD_FORMS: readonly ActionForm[] = [
  standard('output', V10, 0, 8, output10),
  standard('output', SINCE11, 0, 16, output11),
  standard('normal', V10, 0, 8, normalOf(output10)),
  standard('normal', SINCE11, 0, 16, normalOf(output11)),
  standard('enqueue', V10, 11, 16, struct({ port: queuePort, _: pad(6), queue: u32 })),
  standard('setQueue', SINCE11, 21, 8, struct({ queue: u32 })),
  nicira('setQueue', V10, 4, 16, struct({ _: pad(2), queue: u32 })),
  standard('group', SINCE11, 22, 8, struct({ groupId: u32 })),
  nicira('group', V10, 40, 16, struct({ _: pad(2), groupId: u32 })),
  standard('meter', [OF15, OF15], 29, 8, struct({ meterId: u32 })),

  standard('setVlanVid', V10, 1, 8, vlanVid(true)),
  standard('setVlanVid', SINCE11, 1, 8, vlanVid(false)),
  standard('setVlanPcp', V10, 2, 8, vlanPcp(true)),
  standard('setVlanPcp', SINCE11, 2, 8, vlanPcp(false)),
  standard('stripVlan', V10, 3, 8, nothing4),
  standard('stripVlan', SINCE11, 18, 8, popVlan),
  standard('pushVlan', SINCE11, 17, 8, struct({ ethType: vlanType, _: pad(2) })),

  standard('setEthSrc', V10, 4, 16, ethSetter),
  standard('setEthSrc', SINCE11, 3, 16, ethSetter),
  standard('setEthDst', V10, 5, 16, ethSetter),
  standard('setEthDst', SINCE11, 4, 16, ethSetter),
  standard('setIpv4Src', V10, 6, 8, struct({ address: u32 })),
  standard('setIpv4Src', SINCE11, 5, 8, struct({ address: u32 })),
  standard('setIpv4Dst', V10, 7, 8, struct({ address: u32 })),
  standard('setIpv4Dst', SINCE11, 6, 8, struct({ address: u32 })),
  standard('setIpTos', V10, 8, 8, struct({ tos: checked(u8, (n) => (n & 3) === 0), _: pad(3) })),
  standard(
    'setIpTos',
    SINCE11,
    7,
    8,
    struct({ tos: checked(u8, (n) => (n & 3) === 0), _: pad(3) }),
  ),
  standard('setIpEcn', SINCE11, 8, 8, struct({ ecn: upTo(u8, 3), _: pad(3) })),
  standard('setIpTtl', SINCE11, 23, 8, struct({ ttl: u8, _: pad(3) })),
  standard('setTpSrc', V10, 9, 8, portSetter),
  standard('setTpSrc', SINCE11, 9, 8, portSetter),
  standard('setTpDst', V10, 10, 8, portSetter),
  standard('setTpDst', SINCE11, 10, 8, portSetter),

  standard('setMplsLabel', SINCE11, 13, 8, struct({ label: upTo(u32, 0xfffff) })),
  nicira('setMplsLabel', V10, 30, 16, struct({ _: pad(2), label: upTo(u32, 0xfffff) })),
  standard('setMplsTc', SINCE11, 14, 8, struct({ tc: upTo(u8, 7), _: pad(3) })),
  nicira('setMplsTc', V10, 31, 16, struct({ tc: upTo(u8, 7), _: pad(5) })),
  standard('setMplsTtl', SINCE11, 15, 8, struct({ ttl: u8, _: pad(3) })),
  nicira('setMplsTtl', V10, 25, 16, struct({ ttl: u8, _: pad(5) })),
  standard('decMplsTtl', SINCE11, 16, 8, nothing4),
  nicira('decMplsTtl', V10, 26, 16, nothing),
  standard('pushMpls', SINCE11, 19, 8, struct({ ethType: mplsType, _: pad(2) })),
  nicira('pushMpls', V10, 23, 16, struct({ ethType: mplsType, _: pad(4) })),
  standard('popMpls', SINCE11, 20, 8, struct({ ethType: u16, _: pad(2) })),
  nicira('popMpls', V10, 24, 16, struct({ ethType: u16, _: pad(4) })),
  standard('copyTtlOut', SINCE11, 11, 8, nothing4),
  standard('copyTtlIn', SINCE11, 12, 8, nothing4),
  standard('pushPbb', [OF13, OF15], 26, 8, struct({ ethType: pbbType, _: pad(2) })),
  standard('popPbb', [OF13, OF15], 27, 8, nothing4),
  standard('decTtl', SINCE11, 24, 8, simpleDecTtl, {
    accepts: ({ controllerIds }) => controllerIds.length === 1 && controllerIds[0] === 0,
  }),
  nicira('decTtl', V10, 18, 16, simpleDecTtl, {
    accepts: ({ controllerIds }) => controllerIds.length === 1 && controllerIds[0] === 0,
  }),

  standard('setField', [OF12, OF14], 25, 8, setField(false), { mayBeLonger: true }),
  standard('setField', [OF15, OF15], 25, 8, setField(true), { mayBeLonger: true }),
  nicira('move', [OF10, OF14], 6, 16, regMove, { mayBeLonger: true }),
  onf('move', [OF13, OF14], 3200, 16, copyFieldOnf, { mayBeLonger: true }),
  standard('move', [OF15, OF15], 28, 16, copyField, { mayBeLonger: true }),
  nicira('popQueue', ALL, 5, 16, nothing),
];
