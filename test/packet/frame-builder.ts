/** Whole frames for tests, and a plain checksum oracle that shares no code with src/. */
export interface FrameShape {
  tags?: number[];
  ipv6?: boolean;
  proto: 'tcp' | 'udp' | 'icmp' | 'sctp';
  payload: Uint8Array;
  tcpFlags?: number;
  ipOptions?: number;
  /** Leave the pseudo header's sum in the checksum field. */
  partial?: boolean;
}

export function onesComplement(...parts: Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let i = 0; i < part.length; i++) sum += i % 2 ? part[i] : part[i] << 8;
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 65536);
  return sum;
}

const u16 = (...values: number[]) => values.flatMap((v) => [(v >> 8) & 255, v & 255]);
const NUMBER = { tcp: 6, udp: 17, icmp: 1, sctp: 132 };
const CHECKSUM_AT = { tcp: 16, udp: 6, icmp: 2, sctp: 8 };

export function buildFrame(shape: FrameShape): { frame: Uint8Array; l3: number; l4: number } {
  const proto = shape.proto === 'icmp' && shape.ipv6 ? 58 : NUMBER[shape.proto];
  const head = {
    tcp: [
      ...u16(1000, 2000),
      0,
      0,
      0,
      9,
      0,
      0,
      0,
      1,
      0x50,
      shape.tcpFlags ?? 0x10,
      ...u16(100, 0, 0),
    ],
    udp: u16(1000, 2000, 8 + shape.payload.length, 0),
    icmp: [8, 0, 0, 0, 0, 1, 0, 1],
    sctp: [...u16(1000, 2000), 0, 0, 0, 7, 0, 0, 0, 0],
  }[shape.proto];
  const transport = Uint8Array.from([...head, ...shape.payload]);
  const options = shape.ipOptions ?? 0;
  const ip = shape.ipv6
    ? Uint8Array.from([
        ...[0x60, 0, 0, 0, ...u16(transport.length), proto, 64],
        ...[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        ...[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
      ])
    : Uint8Array.from([
        ...[
          0x45 + options,
          0,
          ...u16(20 + 4 * options + transport.length),
          0xff,
          0xfe,
          0,
          0,
          64,
          proto,
        ],
        ...[0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
        ...new Array(4 * options).fill(1),
      ]);
  if (!shape.ipv6) {
    const sum = ~onesComplement(ip) & 0xffff;
    ip[10] = sum >> 8;
    ip[11] = sum & 255;
  }
  if (shape.proto !== 'sctp') {
    const pseudo =
      shape.proto === 'icmp' && !shape.ipv6
        ? new Uint8Array(0)
        : pseudoHeader(ip, proto, transport.length);
    const sum = shape.partial
      ? onesComplement(pseudo)
      : ~onesComplement(pseudo, transport) & 0xffff;
    transport[CHECKSUM_AT[shape.proto]] = sum >> 8;
    transport[CHECKSUM_AT[shape.proto] + 1] = sum & 255;
  }
  const tags = (shape.tags ?? []).flatMap((tag) => u16(tag >>> 16, tag & 0xffff));
  const type = shape.ipv6 ? 0x86dd : 0x0800;
  const eth = [0x50, 0x54, 0, 0, 0, 7, 0x50, 0x54, 0, 0, 0, 5, ...tags, ...u16(type)];
  return {
    frame: Uint8Array.from([...eth, ...ip, ...transport]),
    l3: eth.length,
    l4: eth.length + ip.length,
  };
}

function pseudoHeader(ip: Uint8Array, proto: number, bytes: number): Uint8Array {
  const isIpv6 = ip[0] >> 4 === 6;
  const addresses = isIpv6 ? ip.subarray(8, 40) : ip.subarray(12, 20);
  return Uint8Array.from([...addresses, 0, proto, ...u16(bytes)]);
}

/** Errors in the checksums of a frame without IPv6 extension headers; empty when all is right. */
export function checksumErrors(frame: Uint8Array): string[] {
  const errors: string[] = [];
  let l3 = 14;
  while ([0x8100, 0x88a8].includes((frame[l3 - 2] << 8) | frame[l3 - 1])) l3 += 4;
  const isIpv6 = frame[l3] >> 4 === 6;
  const headerBytes = isIpv6 ? 40 : (frame[l3] & 15) * 4;
  const total = isIpv6
    ? 40 + ((frame[l3 + 4] << 8) | frame[l3 + 5])
    : (frame[l3 + 2] << 8) | frame[l3 + 3];
  const ip = frame.subarray(l3, l3 + headerBytes);
  if (l3 + total !== frame.length) errors.push(`length ${l3 + total} of ${frame.length}`);
  if (!isIpv6 && onesComplement(ip) !== 0xffff) errors.push('ip checksum');
  const proto = isIpv6 ? ip[6] : ip[9];
  const transport = frame.subarray(l3 + headerBytes, l3 + total);
  const isIcmp4 = proto === 1;
  const pseudo = isIcmp4 ? new Uint8Array(0) : pseudoHeader(ip, proto, transport.length);
  if (proto !== 132 && onesComplement(pseudo, transport) !== 0xffff)
    errors.push('transport checksum');
  if (proto === 17 && ((transport[4] << 8) | transport[5]) !== transport.length)
    errors.push('udp length');
  return errors;
}
