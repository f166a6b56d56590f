import { describe, expect, test } from 'vitest';
import type { Action } from '../../../src/flowtable/action.ts';
import { type Match, sameMatch } from '../../../src/flowtable/match.ts';
import { ofPort } from '../../../src/flowtable/of-port.ts';
import { readInstructions, writeInstructions } from '../../../src/ofproto/codec/instructions.ts';
import { matchCodec, readNxmMatch, writeNxmMatch } from '../../../src/ofproto/codec/match.ts';
import { Reader } from '../../../src/ofproto/codec/reader.ts';
import { OF13 } from '../../../src/ofproto/codec/versions.ts';
import { attempt, type Codec, decode, encode } from '../../../src/ofproto/codec/wire.ts';
import { formatActions } from '../../../src/ofproto/text/actions-text.ts';
import { parseFlow } from '../../../src/ofproto/text/flow-syntax.ts';
import { formatMatch } from '../../../src/ofproto/text/match-text.ts';
import { asHex, vectors } from '../codec/vectors.ts';

const nxm = (length: number): Codec<Match> => ({
  decode: (r) => readNxmMatch(r, length).match,
  encode: (w, match) => void writeNxmMatch(w, match),
});

const instructions: Codec<readonly Action[]> = {
  decode: readInstructions,
  encode: writeInstructions,
};

describe('a match that was shown is read again', () => {
  // What the text does not say: a cookie's filter, and the parts of the tunnel that ovs-ofctl prints under other names.
  const left = /cookie:|gtpu_|erspan_|tun_gbp_flags|^$/;
  const shown = vectors('matches').filter((v) => !left.test(v.text));

  test.each(shown.map((v) => [`${v.form} ${v.text}`, v] as const))('%s', (_, v) => {
    const padded = new Uint8Array((v.bytes.length + 7) & ~7);
    padded.set(v.bytes);
    const codec = v.nxm ? nxm(v.bytes.length) : matchCodec;
    const wire = decode(codec, v.nxm ? padded : v.bytes, { version: v.version });
    const got = parseFlow(`${v.text} actions=drop`, 'add', v.version);
    expect(got).toHaveProperty('value');
    if (!got.ok || !wire.ok) return;
    expect(formatMatch(got.value.match)).toBe(v.text);
    const same = sameMatch(got.value.match, wire.value);
    // Encapsulated types of packets are shown twice; tun_flags without the flags that are not matched.
    if (!v.text.includes('packet_type')) expect(same).toBe(true);
  });
});

describe('actions that were shown are read again', () => {
  const shown = vectors('actions').filter((v) => v.text.startsWith('actions='));

  test.each(shown.map((v) => [`${v.form} ${v.text}`, v] as const))('%s', (_, v) => {
    const context = { version: v.version };
    const wire = attempt(() => readInstructions(new Reader(v.bytes, context)));
    const got = parseFlow(v.text, 'add', v.version);
    expect(got).toHaveProperty('value');
    if (!got.ok || !wire.ok) return;
    expect(`actions=${formatActions(got.value.actions)}`).toBe(v.text);
    // The text does not tell resubmit's two forms apart, nor how many bytes an output allows.
    if (/resubmit:1|pop_queue/.test(v.text)) return;
    const bytes = encode(instructions, got.value.actions, context);
    expect(asHex(bytes)).toBe(asHex(encode(instructions, wire.value, context)));
  });
});

describe('a flow', () => {
  const flowOf = (text: string) => {
    const got = parseFlow(text, 'add', OF13, {
      portByName: (name) => (name === 'eth0' ? ofPort(4) : null),
    });
    return got.ok ? got.value : got.error;
  };

  test('has settings, a match and actions', () => {
    const flow = flowOf(
      'table=3, priority=7 cookie=0x5,idle_timeout=1,hard_timeout=2,importance=9,send_flow_rem,in_port=eth0,tcp,tp_dst=80,actions=eth0,IN_PORT',
    );
    expect(flow).toMatchObject({
      tableId: 3,
      priority: 7,
      newCookie: 5n,
      idleTimeoutSeconds: 1,
      hardTimeoutSeconds: 2,
      importance: 9,
      flags: { sendFlowRemoved: true, checkOverlap: false },
      actions: [
        { kind: 'output', port: 4 },
        { kind: 'output', port: 0xfff8 },
      ],
    });
    expect(typeof flow === 'string' ? '' : formatMatch(flow.match)).toBe('tcp,in_port=4,tp_dst=80');
  });

  test('to be deleted is restricted by cookie and output', () => {
    const got = parseFlow('cookie=1/-1,out_port=5,out_group=6', 'delete', OF13);
    expect(got).toMatchObject({
      ok: true,
      value: {
        tableId: 255,
        cookie: 1n,
        cookieMask: 0xffffffffffffffffn,
        outPort: 5,
        outGroup: 6,
        newCookie: null,
      },
    });
  });

  test.each([
    ['bogus=1,actions=drop', 'unknown keyword bogus'],
    ['in_port=1', 'must specify an action'],
    ['actions=frobnicate', 'unknown action frobnicate'],
    ['nsh_spi=5,actions=drop', 'nsh_spi: prerequisites not met for setting nsh_spi'],
    ['mpls,mpls_ttl=256,actions=drop', '256: value too large for 1-byte field mpls_ttl'],
    ['reg0=x,actions=drop', 'x: bad syntax for reg0 value'],
    ['ip,nw_src=1.2.3,actions=drop', '1.2.3: invalid IP address'],
    ['dl_src=1,actions=drop', '1: invalid Ethernet address'],
    ['priority=70000,actions=drop', 'invalid priority "70000"'],
    ['actions=output:(1', 'output:(1: unbalanced parentheses'],
    ['actions=drop,output:1', '"drop" must not be accompanied by any other action or instruction'],
    [
      'actions=load:5->NXM_NX_REG0[40]',
      'NXM_NX_REG0[40]: starting bit 40 is not valid because field is only 32 bits wide',
    ],
    ['in_port=nowhere,actions=drop', 'nowhere: invalid or unknown port for in_port'],
    ['actions=set_field:1->eth_nothing', 'eth_nothing is not a valid OXM field name'],
  ])('%s', (text, error) => {
    expect(flowOf(text)).toBe(error);
  });
});
