/**
 * A frame out of a tunnel whose checksum was never completed: a neighbour on the same machine (the kernel's own tunnel
 * device over a veth) leaves that to hardware that no packet of its meets, and the mark for it is lost on the way.
 */
import { pseudoHeader4, pseudoHeader6 } from '../packet/checksum.ts';
import { GSO_TCPV4, GSO_TCPV6, NEEDS_CSUM } from '../packet/frames.ts';
import { DP_WORDS, ETH_TYPE_PROTO } from '../packet/key.ts';
import { ETH_TYPE_IPV4, ETH_TYPE_IPV6, IP_PROTO_TCP, IP_PROTO_UDP } from '../packet/protocol.ts';
import type { Batch } from './batch.ts';

const TCP_CHECKSUM_AT = 16;
const UDP_CHECKSUM_AT = 6;

/** Longer than frames are that nobody joined; a jumbo frame may be cut in good conscience. */
const LONGEST_FRAME = 1518;
/** Payload of the segments of a super-frame whose sender's is not known: fits wherever tunnels are. */
const SEGMENT_BYTES = 1360;

/** Such a neighbour leaves the cutting of super-frames to hardware as well. */
function markSuperFrame(view: DataView, batch: Batch, p: number, type: number): void {
  const l4 = batch.l4[p];
  batch.gsoType[p] = type === ETH_TYPE_IPV4 ? GSO_TCPV4 : GSO_TCPV6;
  batch.gsoSize[p] = SEGMENT_BYTES;
  batch.headerBytes[p] = l4 + (view.getUint8(batch.start[p] + l4 + 12) >>> 4) * 4;
}

/**
 * Marks extracted frame p to be completed if its checksum field holds the sum of the pseudo header, as partial ones do. A
 * complete one looks like that once in 65,536 times, and completing it again changes nothing. True when it was marked.
 */
export function markPartialChecksum(view: DataView, batch: Batch, p: number): boolean {
  const word = batch.keys[p * DP_WORDS + ETH_TYPE_PROTO];
  const proto = (word >>> 8) & 255;
  const type = word >>> 16;
  const l4 = batch.l4[p];
  if (l4 === 0 || (word & 255) !== 0 || batch.offloadFlags[p] !== 0) return false;
  const field = proto === IP_PROTO_TCP ? TCP_CHECKSUM_AT : UDP_CHECKSUM_AT;
  if (proto !== IP_PROTO_TCP && proto !== IP_PROTO_UDP) return false;
  if (l4 + field + 2 > batch.length[p]) return false;
  const start = batch.start[p];
  const ip = start + batch.l3[p];
  let sum: number;
  if (type === ETH_TYPE_IPV4) {
    const bytes = view.getUint16(ip + 2) - (batch.l4[p] - batch.l3[p]);
    sum = pseudoHeader4(view, ip, proto, bytes);
  } else if (type === ETH_TYPE_IPV6) {
    const bytes = view.getUint16(ip + 4) + 40 - (batch.l4[p] - batch.l3[p]);
    sum = pseudoHeader6(view, ip, proto, bytes);
  } else return false;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  if (view.getUint16(start + l4 + field) !== sum) return false;
  batch.offloadFlags[p] |= NEEDS_CSUM;
  batch.csumStart[p] = l4;
  batch.csumOffset[p] = field;
  if (proto === IP_PROTO_TCP && batch.length[p] > LONGEST_FRAME)
    markSuperFrame(view, batch, p, type);
  return true;
}
