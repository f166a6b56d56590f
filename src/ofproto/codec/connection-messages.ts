/**
 * Messages about the connection itself and the switch as a whole: hello, error, echo, features, configuration, barrier, roles, asynchronous
 * configuration, and Nicira's settings of formats.
 */

import { asyncProperties, legacyAsync } from './async-config.ts';
import { errorName, errorNumbers, type OfErrorName } from './errors.ts';
import { flags, nothing, since } from './message-parts.ts';
import { type PortFields, phyPort } from './port-codec.ts';
import type { Reader } from './reader.ts';
import { OF12, OF13, type OfVersion } from './versions.ts';
import {
  type Codec,
  mapped,
  named,
  pad,
  rest,
  restBytes,
  struct,
  text,
  u8,
  u16,
  u32,
  u64,
} from './wire.ts';

const VERSION_BITMAP = 1;

interface Hello {
  /** Bit n for wire version n; null when the peer sent no (usable) bitmap, so that its header's version is its highest. */
  readonly bitmap: number | null;
}

/** Bits of versions as they are in a hello. */
export const versionBitmap = (versions: readonly OfVersion[]): number =>
  versions.reduce((bits, version) => bits | (1 << version), 0);

/** Elements of u16 type, u16 length and padding. What is wrong in a hello is passed over, as the specification asks (6.3.1). */
const hello: Codec<Hello> = {
  decode(r) {
    let bitmap: number | null = null;
    while (r.left >= 4) {
      const type = r.peekU16();
      const length = r.peekU16(2);
      if (length < 4 || length > r.left) break;
      const element = r.window(length);
      r.skip(Math.min((8 - (length & 7)) & 7, r.left));
      element.skip(4);
      if (type !== VERSION_BITMAP || element.left < 4 || element.left % 4 !== 0) continue;
      // There is no version 0.
      const bits = element.u32() & ~1;
      if (bits !== 0) bitmap = bits >>> 0;
    }
    r.skip(r.left);
    return { bitmap };
  },
  encode(w, value) {
    if (value.bitmap === null) return;
    w.u16(VERSION_BITMAP);
    w.u16(8);
    w.u32(value.bitmap);
  },
};

interface ErrorMessage {
  /** Null for numbers that have no name. */
  readonly error: OfErrorName | null;
  /** The beginning of the request, at least 64 bytes of it if it was so long. */
  readonly data: Uint8Array;
}

/** Experimenter errors: of 1.0 and 1.1 by Nicira's own type and code in front of three words, of 1.2+ in a type of the standard. */
const NICIRA_ERROR_TYPE = 0xb0c2;
const EXPERIMENTER_ERROR_TYPE = 0xffff;

function readErrorName(r: Reader): OfErrorName | null {
  const type = r.u16();
  const code = r.u16();
  if (r.version >= OF12 && type === EXPERIMENTER_ERROR_TYPE) {
    const numbers = { type: code, code: 0, experimenter: r.u32() };
    return errorName(numbers, r.version) ?? null;
  }
  if (r.version < OF12 && type === NICIRA_ERROR_TYPE && code === 0) {
    const experimenter = r.u32();
    return errorName({ experimenter, type: r.u16(), code: r.u16() }, r.version) ?? null;
  }
  return errorName({ type, code }, r.version) ?? null;
}

const error: Codec<ErrorMessage> = {
  decode: (r) => ({ error: readErrorName(r), data: r.rest() }),
  encode(w, value) {
    const numbers = errorNumbers(value.error ?? 'OFPBRC_BAD_TYPE', w.version);
    if (numbers.experimenter === undefined) {
      w.u16(numbers.type);
      w.u16(numbers.code);
    } else if (w.version >= OF12) {
      w.u16(EXPERIMENTER_ERROR_TYPE);
      w.u16(numbers.type);
      w.u32(numbers.experimenter);
    } else {
      w.u16(NICIRA_ERROR_TYPE);
      w.u16(0);
      w.u32(numbers.experimenter);
      w.u16(numbers.type);
      w.u16(numbers.code);
    }
    w.put(value.data);
  },
};

const capabilities = flags(u32, {
  flowStats: '1.0+ 0x1',
  tableStats: '1.0+ 0x2',
  portStats: '1.0+ 0x4',
  stp: '1.0-1.0 0x8',
  groupStats: '1.1+ 0x8',
  ipReassembly: '1.0+ 0x20',
  queueStats: '1.0+ 0x40',
  arpMatchIp: '1.0-1.1 0x80',
  portBlocked: '1.2+ 0x100',
  bundles: '1.4+ 0x200',
  flowMonitoring: '1.4+ 0x400',
});

const features = {
  datapathId: u64,
  buffers: u32,
  tables: u8,
  /** 0 for the main connection; 1.3+. */
  auxiliaryId: u8,
  _pad: pad(2),
  capabilities,
  /** Bits of OFPAT10_*; 1.0 only. */
  actions: u32,
};

const noPorts: Codec<readonly PortFields[]> = { decode: () => [], encode: () => {} };

const featuresReply = since({
  1: struct({ ...features, ports: rest(phyPort) }),
  4: struct({ ...features, ports: noPorts }),
});

const FRAGMENTS = ['normal', 'drop', 'reassemble', 'nxMatch'] as const;

interface SwitchConfig {
  readonly fragments: (typeof FRAGMENTS)[number];
  /** Only before 1.3, which has asynchronous configuration for it. */
  readonly invalidTtlToController: boolean;
  /** Bytes of a missed packet to send; 0xffff for all. */
  readonly missSendLength: number;
}

const FRAGMENTS_MASK = 3;
const INVALID_TTL = 4;

const switchConfig: Codec<SwitchConfig> = {
  decode(r) {
    const bits = r.u16();
    const known = r.version < OF13 ? FRAGMENTS_MASK | INVALID_TTL : FRAGMENTS_MASK;
    if ((bits & ~known) !== 0) r.fail('OFPSCFC_BAD_FLAGS');
    return {
      fragments: FRAGMENTS[bits & FRAGMENTS_MASK],
      invalidTtlToController: (bits & INVALID_TTL) !== 0,
      missSendLength: r.u16(),
    };
  },
  encode(w, value) {
    const ttl = value.invalidTtlToController && w.version < OF13 ? INVALID_TTL : 0;
    w.u16(FRAGMENTS.indexOf(value.fragments) | ttl);
    w.u16(value.missSendLength);
  },
};

const ROLES = { noChange: 0, equal: 1, primary: 2, secondary: 3 } as const;
type Role = keyof typeof ROLES;

export interface RoleMessage {
  readonly role: Role;
  /** Null when there is none, or it does not count (noChange). */
  readonly generationId: bigint | null;
}

const NO_GENERATION = 0xffff_ffff_ffff_ffffn;
const roleName = named(u32, ROLES, 'OFPRRFC_BAD_ROLE');
const nxRoleName = named(u32, { equal: 0, primary: 1, secondary: 2 }, 'OFPRRFC_BAD_ROLE');

const role = (request: boolean): Codec<RoleMessage> => ({
  decode(r) {
    const name = roleName.decode(r);
    r.skip(4);
    const id = r.u64();
    const none = request ? name === 'noChange' : id === NO_GENERATION;
    return { role: name, generationId: none ? null : id };
  },
  encode(w, value) {
    roleName.encode(w, value.role);
    w.zeros(4);
    w.u64(value.generationId ?? NO_GENERATION);
  },
});

const nxRole: Codec<RoleMessage> = mapped<'equal' | 'primary' | 'secondary', RoleMessage>(
  nxRoleName,
  (name) => ({ role: name, generationId: null }),
  (value) => (value.role === 'noChange' ? 'equal' : value.role),
);

const roleStatus = struct({
  role: roleName,
  reason: named(u8, { primaryRequest: 0, config: 1, experimenter: 2 }, 'NXBRC_BAD_REASON'),
  _pad: pad(3),
  generationId: u64,
});

const DESCRIPTION_BYTES = 256;

const description = struct({
  manufacturer: text(DESCRIPTION_BYTES),
  hardware: text(DESCRIPTION_BYTES),
  software: text(DESCRIPTION_BYTES),
  serial: text(32),
  datapath: text(DESCRIPTION_BYTES),
});

const echo = struct({ data: restBytes });

export const connectionMessages = {
  hello: { 'of 1.0+ 0': hello },
  error: { 'of 1.0+ 1': error },
  echoRequest: { 'of 1.0+ 2': echo },
  echoReply: { 'of 1.0+ 3': echo },
  featuresRequest: { 'of 1.0+ 5': nothing },
  featuresReply: { 'of 1.0+ 6': featuresReply },
  getConfigRequest: { 'of 1.0+ 7': nothing },
  getConfigReply: { 'of 1.0+ 8': switchConfig },
  setConfig: { 'of 1.0+ 9': switchConfig },
  barrierRequest: { 'of 1.0-1.0 18': nothing, 'of 1.1+ 20': nothing },
  barrierReply: { 'of 1.0-1.0 19': nothing, 'of 1.1+ 21': nothing },
  roleRequest: { 'of 1.2+ 24': role(true), 'nx 1.0+ 10': nxRole },
  roleReply: { 'of 1.2+ 25': role(false), 'nx 1.0+ 11': nxRole },
  roleStatus: { 'of 1.4+ 30': roleStatus, 'onf 1.3-1.3 1911': roleStatus },
  getAsyncRequest: { 'of 1.3+ 26': nothing },
  getAsyncReply: { 'of 1.3-1.3 27': legacyAsync, 'of 1.4+ 27': asyncProperties },
  setAsync: {
    'of 1.3-1.3 28': legacyAsync,
    'of 1.4+ 28': asyncProperties,
    'nx 1.0+ 19': legacyAsync,
    'nx 1.0-1.3 27': asyncProperties,
  },
  /** Format of 1.0's flow messages. */
  setFlowFormat: {
    'nx 1.0-1.0 12': struct({ flowFormat: named(u32, { openflow10: 0, nxm: 2 }, 'OFPBRC_EPERM') }),
  },
  flowModTableId: {
    'nx 1.0+ 15': struct({
      /** Table ids in the high byte of 1.0's and Nicira's flow-mod commands. */
      enabled: mapped(u8, (n) => n !== 0, Number),
      _pad: pad(7),
    }),
  },
  setPacketInFormat: {
    'nx 1.0+ 16': struct({
      packetInFormat: named(u32, { standard: 0, nxt: 1, nxt2: 2 }, 'OFPBRC_EPERM'),
    }),
  },
  /** Flow ages in flow statistics. */
  flowAge: { 'nx 1.0+ 18': nothing },
  descRequest: { 'request 1.0+ 0': nothing },
  descReply: { 'reply 1.0+ 0': description },
  setControllerId: { 'nx 1.0+ 20': struct({ _pad: pad(6), controllerId: u16 }) },
} as const;
