/** From a frame that the datapath handed up for the controllers to the packet-in that its bridge tells of. */
import type { Upcall } from '../datapath/datapath.ts';
import { PacketInFlag } from '../datapath/program.ts';
import { matchOf } from '../flowtable/match.ts';
import {
  CT_IPV6_DST,
  CT_IPV6_SRC,
  CT_LABEL,
  CT_STATE,
  CT_TP,
  DP_WORDS,
  FLOW_WORDS,
  METADATA,
  OF_IN_PORT,
  PKT_MARK,
  REG,
  TUN_ID,
  TUN_IPV6_DST,
  TUN_IPV6_SRC,
} from '../packet/key.ts';
import type { PacketInReason } from './model.ts';
import { type FrozenPacketIn, type RecircTable, thawed } from './recirc-table.ts';

const REASONS: Readonly<Record<FrozenPacketIn['reason'], PacketInReason>> = {
  no_match: 'noMatch',
  action: 'action',
  invalid_ttl: 'invalidTtl',
  action_set: 'actionSet',
  group: 'group',
  packet_out: 'packetOut',
  explicit_miss: 'explicitMiss',
  implicit_miss: 'implicitMiss',
};

const REG_WORDS = 16;
const WIDE_FIELDS = [
  [METADATA, 2],
  [TUN_ID, 2],
  [TUN_IPV6_SRC, 4],
  [TUN_IPV6_DST, 4],
  [CT_LABEL, 4],
  [CT_IPV6_SRC, 4],
  [CT_IPV6_DST, 4],
] as const;

/** Tells the bridge's listener. False when the state is gone, or is none for a packet-in. */
export function packetInOf(recirc: RecircTable, upcall: Upcall): boolean {
  const [flags, , id] = upcall.cookie;
  const state = recirc.find(id);
  if (state === null || state.packetIn === null) return false;
  if ((flags & PacketInFlag.DONT_SEND) !== 0) return true;
  const { packetIn, bridge } = state;
  const flow = thawed(state, upcall.key);
  const mask = new Uint32Array(FLOW_WORDS);
  mask[OF_IN_PORT] = 0xffffffff;
  // Of the rest only what is other than 0 is told.
  const tell = (from: number, to: number): void => {
    for (let w = from; w < to; w++) if (flow[w] !== 0) mask[w] = 0xffffffff;
  };
  tell(PKT_MARK, PKT_MARK + 1);
  tell(CT_STATE, CT_TP);
  tell(TUN_ID, DP_WORDS);
  tell(REG, REG + REG_WORDS);
  // Fields of several words are told whole or not at all.
  for (const [word, words] of WIDE_FIELDS) {
    let any = 0;
    for (let w = word; w < word + words; w++) any |= flow[w];
    if (any !== 0) mask.fill(0xffffffff, word, word + words);
  }
  bridge.tlvTable.consultPresent(flow, mask);
  bridge.listener.packetIn({
    reason: REASONS[packetIn.reason],
    tableId: state.tableId,
    cookie: state.cookie,
    match: matchOf(flow, mask, FLOW_WORDS),
    frame: upcall.frame.slice(0, upcall.frameBytes),
    maxBytes: packetIn.maxBytes,
    controllerId: packetIn.controllerId,
    userdata: packetIn.userdata,
    continuation: packetIn.pause ? continuationOf(id, upcall.key[0]) : null,
  });
  return true;
}

/**
 * A continuation: the datapath port that the frame came from and the number of the state, as a list of properties, because tools
 * that print messages read it. The port is in Open vSwitch's, the number, which nobody else could use, in one of an experimenter.
 */
const ODP_PORT = 0x8008;
const EXPERIMENTER = 0xffff;
const NICIRA = 0x2320;
const STATE_NUMBER = 0x7473;
const PORT_HEAD = (ODP_PORT << 16) | 8;
const STATE_HEAD = ((EXPERIMENTER << 16) | 16) >>> 0;
const CONTINUATION_BYTES = 24;

function continuationOf(id: number, inPort: number): Uint8Array {
  const bytes = new Uint8Array(CONTINUATION_BYTES);
  const view = new DataView(bytes.buffer);
  [PORT_HEAD, inPort, STATE_HEAD, NICIRA, STATE_NUMBER, id].forEach((word, i) => {
    view.setUint32(4 * i, word);
  });
  return bytes;
}

/** What a continuation names; null for one that is not ours. */
export function continuation(bytes: Uint8Array): { id: number; inPort: number } | null {
  if (bytes.length !== CONTINUATION_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, CONTINUATION_BYTES);
  const [port, inPort, state, owner, kind, id] = [0, 4, 8, 12, 16, 20].map((at) =>
    view.getUint32(at),
  );
  const isOurs = port === PORT_HEAD >>> 0 && state === STATE_HEAD && owner === NICIRA;
  return isOurs && kind === STATE_NUMBER ? { id, inPort } : null;
}
