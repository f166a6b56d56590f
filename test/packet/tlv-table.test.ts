import { describe, expect, it } from 'vitest';
import { parseFlow } from '../../src/packet/flow-parse.ts';
import { formatFlow } from '../../src/packet/flow-text.ts';
import * as K from '../../src/packet/key.ts';
import { presentBit, presentWord, TlvTable } from '../../src/packet/tlv-table.ts';

const map = (optionType: number, optionLength: number, index: number) => ({
  optionClass: 0xffff,
  optionType,
  optionLength,
  index,
});

function tableOf(...maps: ReturnType<typeof map>[]): TlvTable {
  const table = TlvTable.EMPTY.with(maps);
  if (typeof table === 'string') throw new Error(table);
  return table;
}

const table = tableOf(map(0, 4, 40), map(0x81, 8, 3), map(2, 0, 0));

/** Options of (head, values...). */
function rawFlow(...words: number[]): Uint32Array {
  const flow = new Uint32Array(K.FLOW_WORDS);
  flow.set(words, K.TUN_OPTIONS);
  flow[K.TUN_OPTIONS_LENGTH] = 4 * words.length;
  return flow;
}
const isPresent = (flow: Uint32Array, index: number) =>
  (flow[presentWord(index)] & presentBit(index)) !== 0;

describe('the table of options', () => {
  it('refuses a field or an option that is mapped, and more than fits', () => {
    expect(table.with([map(7, 4, 40)])).toBe('NXTTMFC_ALREADY_MAPPED');
    expect(table.with([map(0x81, 4, 41)])).toBe('NXTTMFC_DUP_ENTRY');
    const full = tableOf(map(1, 124, 1), map(2, 124, 2), map(3, 8, 3));
    expect(full.with([map(4, 4, 4)])).toBe('NXTTMFC_TABLE_FULL');
    // What goes makes room; what stays does not move.
    const again = full.without([1]).with([map(4, 120, 4), map(5, 4, 5)]);
    expect(typeof again === 'string' ? again : again.place(3)).toEqual(full.place(3));
  });

  it('joins gaps by moving fields that no flow uses', () => {
    const pieces = tableOf(map(1, 124, 1), map(2, 12, 2), map(3, 116, 3)).without([2]);
    expect(pieces.with([map(4, 16, 4)], () => new Set([1, 3]))).toBe('NXTTMFC_TABLE_FULL');
    const joined = pieces.with([map(4, 16, 4)], () => new Set([1]));
    if (typeof joined === 'string') throw new Error(joined);
    expect([1, 3, 4].map((index) => joined.place(index)?.offset)).toEqual([0, 124, 240]);
    expect(pieces.with([map(4, 20, 4)])).toBe('NXTTMFC_TABLE_FULL');
  });

  it('gives a field behind one without a value a place of its own', () => {
    const three = tableOf(map(0, 4, 0), map(1, 0, 1), map(2, 4, 2));
    expect(three.place(2)?.offset).toBe(4);
  });

  it('makes fields of options that it knows and passes over the others', () => {
    const flow = rawFlow(0xffff0701, 9, 0xffff8102, 1, 2, 0xffff0001, 5, 0xffff0200);
    expect(table.optionsToFields(flow)).toBe(true);
    expect([0, 1, 3, 40].map((index) => isPresent(flow, index))).toEqual([true, false, true, true]);
    expect([...flow.subarray(K.TUN_METADATA, K.TUN_METADATA + 3)]).toEqual([5, 1, 2]);
  });

  it('refuses options that are cut off, of another length, or critical and unknown', () => {
    expect(table.optionsToFields(rawFlow(0xffff0003, 1, 2))).toBe(false);
    expect(table.optionsToFields(rawFlow(0xffff0002, 1, 2))).toBe(false);
    expect(table.optionsToFields(rawFlow(0xffff8500))).toBe(false);
  });

  it('takes consulted bits back to where the option lies, with the heads of all', () => {
    const flow = rawFlow(0xffff0701, 9, 0xffff0001, 5);
    const mask = new Uint32Array(K.FLOW_WORDS);
    mask[K.TUN_METADATA] = 0xf;
    table.maskToOptions(flow, mask);
    expect(mask[K.TUN_OPTIONS_LENGTH]).toBe(0xffffffff);
    const raw = [...mask.subarray(K.TUN_OPTIONS, K.TUN_OPTIONS + 5)];
    expect(raw).toEqual([0xffffff1f, 0, 0xffffff1f, 0xf, 0]);
  });

  it('writes the options of present fields, ascending, and what it reads again is the same', () => {
    const flow = rawFlow(0xffff0001, 5, 0xffff8102, 1, 2);
    table.optionsToFields(flow);
    const fields = flow.slice(K.TUN_METADATA_PRESENT);
    table.fieldsToOptions(flow, flow);
    expect(flow[K.TUN_OPTIONS_LENGTH]).toBe(20);
    const raw = [...flow.subarray(K.TUN_OPTIONS, K.TUN_OPTIONS + 6)];
    expect(raw).toEqual([0xffff8102, 1, 2, 0xffff0001, 5, 0]);
    flow.fill(0, K.TUN_METADATA_PRESENT);
    expect(table.optionsToFields(flow)).toBe(true);
    expect(flow.slice(K.TUN_METADATA_PRESENT)).toEqual(fields);
  });

  it('is written in flow text as options', () => {
    const text =
      'tunnel(tun_id=0x7b,geneve({class=0xffff,type=0x80,len=4,0xa/0xf}{class=0xffff,type=0,len=4}),flags(-df-csum+key)),' +
      'recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(frag=no)';
    const read = parseFlow(text, {});
    expect(read.ok && formatFlow(read.key, read.mask)).toBe(text);
    for (const bad of ['{class=1,type=2,len=3}', '{class=1,type=2,len=4,0x100000000}', 'x']) {
      expect(parseFlow(`tunnel(geneve(${bad})),in_port(1)`, {}).ok).toBe(false);
    }
  });
});
