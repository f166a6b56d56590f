/**
 * The stages of a staged lookup: which bits of the flow key are looked at first. Cheap ones that tell much come
 * first: metadata and registers, which no frame can vary, then L2, L3, and last the ports, which vary most.
 * The division is Open vSwitch's, so that megaflows get the same masks.
 */
import * as K from '../packet/key.ts';

export const STAGES = 4;

const METADATA_STAGE = 0;
const L2 = 1;
const L3 = 2;
const L4 = 3;

function stageOfWord(word: number): number {
  if (word < K.ETH_DST) return METADATA_STAGE;
  if (word < K.TOS_TTL) return L2;
  if (word >= K.TP && word <= K.ND_OPTIONS) return L4;
  if (word === K.CT_TP || (word >= K.NSH && word < K.TUN_OPTIONS_LENGTH)) return L4;
  if (word >= K.MPLS_LSE && word <= K.PBB_ISID) return L2;
  if (word < K.CT_STATE || (word >= K.CT_NW_SRC && word < K.TUN_ID)) return L3;
  return METADATA_STAGE;
}

const STAGE_OF: readonly number[] = Array.from({ length: K.FLOW_WORDS }, (_, w) => stageOfWord(w));

/** The bits of a word that are looked at in a stage. */
export function stageBits(word: number, stage: number): number {
  // Ethernet type and IP protocol share a word, but not a stage.
  if (word === K.ETH_TYPE_PROTO) return stage === L2 ? 0xffff0000 : stage === L3 ? 0xffff : 0;
  return STAGE_OF[word] === stage ? 0xffffffff : 0;
}
