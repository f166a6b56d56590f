/** Frames that ask for the link address of a neighbour: ARP (RFC 826) and neighbour solicitation (RFC 4861, 4.3). */
import { checksumOf, pseudoHeader6, sumBytes } from '../packet/checksum.ts';
import { ETH_TYPE_ARP, ETH_TYPE_IPV6, IP_PROTO_ICMPV6 } from '../packet/protocol.ts';
import type { Mac } from './outer-header.ts';
import { type Address, isIpv4 } from './tunnel-config.ts';

const ARP_BYTES = 42;
const SOLICITATION_BYTES = 86;
const IP = 14;
const ICMP = 54;

/** A whole Ethernet frame from `mac`, which has the address `source`. */
export const neighborRequest = (mac: Mac, source: Address, target: Address): Uint8Array =>
  isIpv4(target) ? arpRequest(mac, source, target) : solicitation(mac, source, target);

function arpRequest(mac: Mac, source: Address, target: Address): Uint8Array {
  const frame = new Uint8Array(ARP_BYTES).fill(0xff, 0, 6);
  const view = new DataView(frame.buffer);
  putMac(view, 6, mac);
  view.setUint16(12, ETH_TYPE_ARP);
  // Ethernet, IPv4, lengths 6 and 4, request.
  view.setUint32(14, 0x00010800);
  view.setUint32(18, 0x06040001);
  putMac(view, 22, mac);
  view.setUint32(28, source[3]);
  view.setUint32(38, target[3]);
  return frame;
}

function solicitation(mac: Mac, source: Address, target: Address): Uint8Array {
  const frame = new Uint8Array(SOLICITATION_BYTES);
  const view = new DataView(frame.buffer);
  // The target's solicited-node address (RFC 4291, 2.7.1), and its group address on Ethernet.
  const low = (0xff000000 | (target[3] & 0xffffff)) >>> 0;
  view.setUint16(0, 0x3333);
  view.setUint32(2, low);
  putMac(view, 6, mac);
  view.setUint16(12, ETH_TYPE_IPV6);
  view.setUint32(IP, 6 << 28);
  view.setUint16(IP + 4, SOLICITATION_BYTES - ICMP);
  view.setUint16(IP + 6, (IP_PROTO_ICMPV6 << 8) | 255);
  for (let i = 0; i < 4; i++) {
    view.setUint32(IP + 8 + 4 * i, source[i]);
    view.setUint32(ICMP + 8 + 4 * i, target[i]);
  }
  view.setUint32(IP + 24, 0xff020000);
  view.setUint32(IP + 32, 1);
  view.setUint32(IP + 36, low);
  view.setUint8(ICMP, 135);
  // Option: source link-layer address, of 8 bytes.
  view.setUint16(ICMP + 24, 0x0101);
  putMac(view, ICMP + 26, mac);
  const bytes = SOLICITATION_BYTES - ICMP;
  const sum = sumBytes(view, ICMP, bytes, pseudoHeader6(view, IP, IP_PROTO_ICMPV6, bytes));
  view.setUint16(ICMP + 2, checksumOf(sum));
  return frame;
}

function putMac(view: DataView, at: number, [high, low]: Mac): void {
  view.setUint32(at, high);
  view.setUint16(at + 4, low);
}
