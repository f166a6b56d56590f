/**
 * Translation (xlate): from a flow, through the tables of its bridge and of those that patch ports lead to,
 * to a datapath program and the bits that the answer depends on.
 *
 * Pure: it reads tables and changes nothing; what ought to happen besides is a list of effects. Flows that
 * are equal under `mask` get the same program: megaflows and revalidation rest on that, and
 * test/ofproto/unwildcard.test.ts checks it.
 */
import type { DropReason } from '../../datapath/drop-reason.ts';
import { dropIndex } from '../../datapath/drop-reason.ts';
import { ProgramBuilder } from '../../datapath/program.ts';
import {
  ETH_TYPE_PROTO,
  FLOW_WORDS,
  IN_PORT,
  PACKET_TYPE,
  RECIRC_ID,
  VLAN_CFI,
  VLAN0,
  VLAN1,
} from '../../packet/key.ts';
import { XlateContext, XlateScratch, type XlateSource } from './context.ts';
import type { Effect } from './effect.ts';
import { translateTable } from './table.ts';

export interface Translation {
  readonly program: Int32Array;
  /**
   * FLOW_WORDS words; what lies above DP_WORDS never reaches the datapath. It belongs to the scratch memory:
   * valid until that is used again.
   */
  readonly mask: Uint32Array;
  readonly effects: readonly Effect[];
  /** Why nothing is sent; null when something is. */
  readonly dropReason: DropReason | null;
}

const ETH_TYPE_IPV4 = 0x0800;
const ETH_TYPE_IPV6 = 0x86dd;

/** `flow` has FLOW_WORDS words, of which [0, DP_WORDS) came from the datapath. `note` receives a trace. */
export function translate(
  source: XlateSource,
  flow: Uint32Array,
  note: ((line: string) => void) | null = null,
  scratch = new XlateScratch(),
): Translation {
  const port = source.portByNo(flow[IN_PORT]);
  if (port === null) {
    const mask = new Uint32Array(FLOW_WORDS);
    finishMask(flow, mask);
    const builder = new ProgramBuilder();
    builder.drop(dropIndex('datapath_drop_invalid_port'));
    return {
      program: builder.take(),
      mask,
      effects: [],
      dropReason: 'datapath_drop_invalid_port',
    };
  }
  const ctx = new XlateContext(source, flow, port, translateTable, note, scratch);
  note?.(`bridge("${port.bridge.name}")`);
  translateTable(ctx, 0);
  const { program, dropReason } = ctx.finish();
  finishMask(flow, ctx.mask);
  return { program, mask: ctx.mask, effects: ctx.effects, dropReason };
}

/** Bits that always count, as Open vSwitch has them: a datapath flow cannot be written down without them. */
function finishMask(flow: Uint32Array, mask: Uint32Array): void {
  mask[IN_PORT] = mask[RECIRC_ID] = mask[PACKET_TYPE] = 0xffffffff;
  const ethType = flow[ETH_TYPE_PROTO] >>> 16;
  const fragment = ethType === ETH_TYPE_IPV4 || ethType === ETH_TYPE_IPV6 ? 0x3 : 0;
  mask[ETH_TYPE_PROTO] = (mask[ETH_TYPE_PROTO] | 0xffff0000 | fragment) >>> 0;
  // The outer TPID is the frame's Ethernet type. A tag that nobody looked at is matched whole, because
  // "no tag or any tag" has no text.
  const tci = mask[VLAN0] & 0xffff;
  mask[VLAN0] = (0xffff0000 | (tci === 0 ? 0xffff : tci | VLAN_CFI)) >>> 0;
  if (mask[VLAN1] !== 0) mask[VLAN1] = (mask[VLAN1] | 0xffff0000 | VLAN_CFI) >>> 0;
}
