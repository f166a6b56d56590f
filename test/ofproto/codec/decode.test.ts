import { describe, expect, test } from 'vitest';
import { ERROR_NAMES } from '../../../src/ofproto/codec/errors.ts';
import { decodeMessage, encodeMessage } from '../../../src/ofproto/codec/messages.ts';
import { OF10, OF13, OF14, OF15, type OfVersion } from '../../../src/ofproto/codec/versions.ts';
import { hex, random } from '../../packet/bytes.ts';
import { mutated } from './mutate.ts';
import { recordedMessages } from './recorded.ts';

const errorOf = (version: OfVersion, text: string): string => {
  const got = decodeMessage(hex(text), { version });
  return got.ok ? got.message.kind : got.error;
};

describe('what is not a message', () => {
  test('versions, types and subtypes that do not exist', () => {
    expect(errorOf(OF13, '05 05 0008 00000001')).toBe('OFPBRC_BAD_VERSION');
    expect(errorOf(OF13, '04 63 0008 00000001')).toBe('OFPBRC_BAD_TYPE');
    // Barrier request of 1.0 is a table-mod's number later, get-async of 1.3 is none in 1.0.
    expect(errorOf(OF10, '01 1a 0008 00000001')).toBe('OFPBRC_BAD_TYPE');
    expect(errorOf(OF13, '04 04 0010 00000001 00012345 00000001')).toBe('OFPBRC_BAD_VENDOR');
    expect(errorOf(OF13, '04 04 0010 00000001 00002320 000003e7')).toBe('OFPBRC_BAD_SUBTYPE');
    expect(errorOf(OF13, '04 12 0010 00000001 0063 0000 00000000')).toBe('OFPBRC_BAD_STAT');
    expect(errorOf(OF10, '01 10 000c 00000001 0009 0000')).toBe('OFPBRC_BAD_STAT');
    expect(errorOf(OF13, '04 12 0018 00000001 ffff 0000 00000000 00012345 00000001')).toBe(
      'OFPBRC_BAD_VENDOR',
    );
    expect(errorOf(OF13, '04 12 0018 00000001 ffff 0000 00000000 00002320 00000063')).toBe(
      'OFPBRC_BAD_SUBTYPE',
    );
  });

  test('lengths that are not those of the bytes or of the message', () => {
    expect(errorOf(OF13, '04 05 0010 00000001')).toBe('OFPBRC_BAD_LEN');
    expect(errorOf(OF13, '04 05 000c 00000001 00000000')).toBe('OFPBRC_BAD_LEN');
    expect(errorOf(OF13, '04 09 000a 00000001 0000')).toBe('OFPBRC_BAD_LEN');
    expect(errorOf(OF13, '04 04 000c 00000001 00002320')).toBe('OFPBRC_BAD_LEN');
    expect(errorOf(OF13, '04 12 000c 00000001 0001 0000')).toBe('OFPBRC_BAD_LEN');
    expect(errorOf(OF13, '')).toBe('OFPBRC_BAD_LEN');
  });

  test('hello, error and echo are taken from a peer of another version', () => {
    expect(errorOf(OF10, '06 00 0008 00000001')).toBe('hello');
    expect(errorOf(OF13, '01 02 000a 00000001 aabb')).toBe('echoRequest');
    expect(errorOf(OF13, '7f 00 0008 00000001')).toBe('hello');
  });

  test('values that are not allowed', () => {
    expect(errorOf(OF13, '04 09 000c 00000001 0008 0080')).toBe('OFPSCFC_BAD_FLAGS');
    expect(errorOf(OF13, '04 18 0018 00000001 00000009 00000000 0000000000000000')).toBe(
      'OFPRRFC_BAD_ROLE',
    );
    expect(errorOf(OF14, '05 1c 0010 00000001 0008 0008 00000001')).toBe('OFPACFC_INVALID');
    expect(errorOf(OF14, '05 1c 0010 00000001 000c 0008 00000001')).toBe('OFPACFC_UNSUPPORTED');
    expect(errorOf(OF14, '05 1c 0010 00000001 0000 0007 00000001')).toBe('OFPBPC_BAD_LEN');
    expect(errorOf(OF14, '05 1c 0010 00000001 fffe 000c 00000000')).toBe('OFPBPC_BAD_LEN');
    expect(errorOf(OF13, '04 0f 0010 00000001 0000 04 00 00000001')).toBe('OFPGMFC_BAD_TYPE');
    expect(errorOf(OF13, '04 0f 0010 00000001 0009 00 00 00000001')).toBe('OFPGMFC_BAD_COMMAND');
    expect(errorOf(OF13, '04 0f 0010 00000001 0000 02 00 00000001')).toBe('OFPGMFC_INVALID_GROUP');
    expect(errorOf(OF13, '04 0f 0018 00000001 0000 00 00 00000001 00100000 00000000')).toBe(
      'OFPGMFC_BAD_BUCKET',
    );
    expect(errorOf(OF13, '04 1d 0010 00000001 0003 0001 00000001')).toBe('OFPMMFC_BAD_COMMAND');
    expect(errorOf(OF13, '04 1d 0010 00000001 0000 0003 00000001')).toBe('OFPMMFC_BAD_FLAGS');
    expect(errorOf(OF13, '04 1d 0010 00000001 0000 0001 00000000')).toBe('OFPMMFC_INVALID_METER');
    expect(
      errorOf(OF13, '04 1d 0020 00000001 0000 0001 00000001 0009 0010 00000000 00000000 00000000'),
    ).toBe('OFPMMFC_BAD_BAND');
    expect(
      errorOf(OF13, '04 1d 0020 00000001 0000 0001 00000001 0001 0000 00000000 00000000 00000000'),
    ).toBe('OFPBRC_BAD_LEN');
  });

  test('flow modifications and packet-outs', () => {
    const flowMod = (tail: string): string =>
      errorOf(OF13, `04 0e 0038 00000001 0000000000000000 0000000000000000 ${tail}`);
    const match = '0001 0004 00000000';
    const ports = 'ffffffff ffffffff';
    expect(flowMod(`00 00 0000 0000 0001 ffffffff ${ports} 0000 0000 ${match}`)).toBe('flowMod');
    expect(flowMod(`ff 00 0000 0000 0001 ffffffff ${ports} 0000 0000 ${match}`)).toBe(
      'OFPFMFC_BAD_TABLE_ID',
    );
    expect(flowMod(`ff 03 0000 0000 0001 ffffffff ${ports} 0000 0000 ${match}`)).toBe('flowMod');
    expect(flowMod(`00 05 0000 0000 0001 ffffffff ${ports} 0000 0000 ${match}`)).toBe(
      'OFPFMFC_BAD_COMMAND',
    );
    expect(flowMod(`00 00 0000 0000 0001 ffffffff ${ports} 0020 0000 ${match}`)).toBe(
      'OFPFMFC_BAD_FLAGS',
    );
    expect(flowMod(`00 00 0000 0000 0001 ffffffff 00010000 ffffffff 0000 0000 ${match}`)).toBe(
      'OFPBAC_BAD_OUT_PORT',
    );
    expect(flowMod(`00 00 0000 0000 0001 ffffffff ${ports} 0000 0000 0001 0003 00000000`)).toBe(
      'OFPBMC_BAD_LEN',
    );
    expect(flowMod(`00 00 0000 0000 0001 ffffffff ${ports} 0000 0000 0002 0004 00000000`)).toBe(
      'OFPBMC_BAD_TYPE',
    );
    const flowMod10 = (times: string, flags: string): string =>
      errorOf(
        OF10,
        `01 0e 0048 00000001 003fffff ${'00'.repeat(36)} 0000000000000000 0000 ${times} 0001 ffffffff ffff ${flags}`,
      );
    expect(flowMod10('0000 0000', '0000')).toBe('flowMod');
    expect(flowMod10('0000 0000', '0004')).toBe('OFPFMFC_TABLE_FULL');
    expect(flowMod10('0001 0000', '0004')).toBe('OFPFMFC_BAD_EMERG_TIMEOUT');
    expect(flowMod10('0000 0000', '0008')).toBe('OFPFMFC_BAD_FLAGS');

    expect(errorOf(OF13, '04 0d 0018 00000001 ffffffff 0000fff8 0000 000000000000')).toBe(
      'OFPBRC_BAD_PORT',
    );
    expect(errorOf(OF13, '04 0d 0018 00000001 ffffffff fffffffd 0008 000000000000')).toBe(
      'OFPBRC_BAD_LEN',
    );
    expect(errorOf(OF15, '06 0d 0018 00000001 ffffffff 0000 0000 0001 0004 00000000')).toBe(
      'OFPBRC_BAD_PORT',
    );
  });

  test('tables, their features and flow monitors', () => {
    const name = '00'.repeat(32);
    const features = (table: string, properties: string): string => {
      const length = (64 + properties.replace(/\s/g, '').length / 2).toString(16).padStart(4, '0');
      const total = (16 + Number.parseInt(length, 16)).toString(16).padStart(4, '0');
      return errorOf(
        OF13,
        `04 12 ${total} 00000001 000c 0000 00000000 ${length} ${table} 00 00000000 ${name} ${'00'.repeat(24)} ${properties}`,
      );
    };
    const required = ['0000', '0002', '0004', '0006', '0008', '000a', '000c', '000e'].map(
      (type) => `${type} 0004 00000000`,
    );
    expect(features('00', required.join(''))).toBe('tableFeaturesRequest');
    expect(features('ff', required.join(''))).toBe('OFPTFFC_BAD_TABLE');
    expect(features('00', required.slice(1).join(''))).toBe('OFPTFFC_BAD_FEATURES');
    expect(features('00', [...required, required[0]].join(''))).toBe('OFPTFFC_BAD_FEATURES');
    expect(features('00', [...required, '0020 0004 00000000'].join(''))).toBe('OFPBPC_BAD_TYPE');
    expect(features('00', [...required, '0001 0000 00000000'].join(''))).toBe('OFPBPC_BAD_LEN');
    expect(errorOf(OF14, '05 11 0018 00000001 02 000000 00000008 0003 0008 50 14 00 00')).toBe(
      'OFPBPC_BAD_VALUE',
    );
    expect(errorOf(OF14, '05 11 0018 00000001 02 000000 00000008 0009 0008 50 14 00 00')).toBe(
      'OFPBRC_BAD_TYPE',
    );
    const monitor = (flags: string, command: string): string =>
      errorOf(
        OF14,
        `05 12 0028 00000001 0010 0000 00000000 00000001 ffffffff ffffffff ${flags} ff ${command} 0001 0004 00000000`,
      );
    expect(monitor('0002', '00')).toBe('flowMonitorRequest');
    expect(monitor('0000', '00')).toBe('OFPMOFC_BAD_FLAGS');
    expect(monitor('0000', '02')).toBe('flowMonitorRequest');
    expect(monitor('0002', '07')).toBe('OFPMOFC_BAD_COMMAND');
  });

  test('a bundled message that does not fit its bundle', () => {
    const add = (inner: string): string =>
      errorOf(OF14, `05 22 0018 00000001 00000003 00000001${inner}`);
    expect(add('05 0e 0008 00000001')).toBe('bundleAdd');
    expect(add('04 0e 0008 00000001')).toBe('OFPBFC_BAD_VERSION');
    expect(add('05 0e 0008 00000002')).toBe('OFPBFC_MSG_BAD_XID');
    expect(add('05 0e 0007 00000001')).toBe('OFPBFC_MSG_BAD_LEN');
    expect(add('05 0e 0010 00000001')).toBe('OFPBFC_MSG_BAD_LEN');
    expect(errorOf(OF14, '05 22 0010 00000001 00000003 00000001')).toBe('OFPBFC_MSG_BAD_LEN');
  });
});

describe('damaged messages', () => {
  const all = recordedMessages();

  test('are read or refused, and what is read can be written', () => {
    const next = random(7);
    const known = new Set<string>(ERROR_NAMES);
    let refused = 0;
    for (let i = 0; i < 60_000; i++) {
      const bytes = mutated(all, next);
      const version = (bytes[0] >= 1 && bytes[0] <= 6 ? bytes[0] : OF15) as OfVersion;
      const got = decodeMessage(bytes, { version, flowModTableId: next() % 2 === 0 });
      if (!got.ok) {
        refused++;
        expect(known.has(got.error)).toBe(true);
      } else if (bytes.length < 0x8000) encodeMessage(got.message, { version }, got.xid);
    }
    expect(refused).toBeGreaterThan(10_000);
    expect(refused).toBeLessThan(59_000);
  });

  test('every truncation of every message is survived', () => {
    for (const { version, bytes } of all) {
      for (let n = 0; n < bytes.length; n += bytes.length > 600 ? 37 : 4) {
        const cut = bytes.slice(0, n);
        if (n >= 4) {
          cut[2] = n >> 8;
          cut[3] = n & 0xff;
        }
        decodeMessage(cut, { version });
      }
    }
  });

  test('actions in actions in actions do not exhaust the stack', () => {
    // clone: 16 bytes each, the next inside.
    const depth = 4000;
    const body = Buffer.alloc(depth * 16);
    for (let i = 0; i < depth; i++) {
      body.writeUInt16BE(0xffff, i * 16);
      body.writeUInt16BE(body.length - i * 16, i * 16 + 2);
      body.writeUInt32BE(0x2320, i * 16 + 4);
      body.writeUInt16BE(42, i * 16 + 8);
    }
    const head = hex('01 0d 0000 00000001 ffffffff 0001 0000');
    const bytes = new Uint8Array(Buffer.concat([head, body]));
    bytes[2] = bytes.length >> 8;
    bytes[3] = bytes.length & 0xff;
    bytes[14] = body.length >> 8;
    bytes[15] = body.length & 0xff;
    expect(decodeMessage(bytes, { version: OF10 })).toEqual({
      ok: false,
      xid: 1,
      error: 'OFPBAC_BAD_ARGUMENT',
    });
  });
});
