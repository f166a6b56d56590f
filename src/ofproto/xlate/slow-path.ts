/**
 * The slow path: flows whose frames all go through the main thread. Open vSwitch's datapath lacks rewriting of ARP, ICMP and neighbour
 * discovery, and takes no program over 64 kB. This datapath could do it, but what is seen of a switch (its dumps, its
 * traces, the meter `slowpath`) is to be the same, and such frames are few.
 */
import { CookieKind, Op, ProgramBuilder, SlowPath } from '../../datapath/program.ts';
import {
  ARP_SHA,
  ARP_SHA_THA,
  ARP_THA,
  DP_WORDS,
  ETH_TYPE_PROTO,
  IPV4_DST,
  IPV4_SRC,
  ND_OPTIONS,
  ND_RESERVED,
  ND_TARGET,
  TP,
} from '../../packet/key.ts';
import {
  ETH_TYPE_ARP,
  ETH_TYPE_IPV4,
  ETH_TYPE_IPV6,
  IP_PROTO_ICMP,
  IP_PROTO_ICMPV6,
} from '../../packet/protocol.ts';
import { MAX_TABLE_PROGRAM_WORDS } from './context.ts';

/** Probability of a SAMPLE that runs for every frame. */
const ALWAYS = 0xffffffff;

/** Words of a key that take the slow path when they are set: always, in ARP, in ICMP. */
const OF_ANY = 1;
const OF_ARP = 2;
const OF_ICMP = 4;
const KINDS = new Uint8Array(DP_WORDS);
for (let i = 0; i < 4; i++) KINDS[ND_TARGET + i] = OF_ANY;
for (const word of [ARP_SHA, ARP_SHA_THA, ARP_THA, ND_RESERVED, ND_OPTIONS]) KINDS[word] = OF_ANY;
for (const word of [IPV4_SRC, IPV4_DST, ETH_TYPE_PROTO]) KINDS[word] = OF_ARP;
KINDS[TP] = OF_ICMP;

/** Words in front of the programs within an action; 0 for one that has none. */
const NESTED_AT: Readonly<Partial<Record<number, number>>> = {
  [Op.CLONE]: 1,
  [Op.SAMPLE]: 2,
  [Op.CHECK_PKT_LEN]: 3,
};

/** SlowPath bits of a program for frames of this flow (DP_WORDS words or more); 0 for one that the datapath is to run. */
export function slowReasons(program: Int32Array, flow: Uint32Array): number {
  if (program.length > MAX_TABLE_PROGRAM_WORDS) return SlowPath.ACTION;
  const ethType = flow[ETH_TYPE_PROTO] >>> 16;
  const proto = (flow[ETH_TYPE_PROTO] >>> 8) & 0xff;
  let kinds = OF_ANY;
  if (ethType === ETH_TYPE_ARP) kinds |= OF_ARP;
  else if (ethType === ETH_TYPE_IPV4 && proto === IP_PROTO_ICMP) kinds |= OF_ICMP;
  else if (ethType === ETH_TYPE_IPV6 && proto === IP_PROTO_ICMPV6) kinds |= OF_ICMP;
  for (let at = 0; at < program.length; ) {
    const op = program[at] & 255;
    const word = program[at + 1];
    if (op === Op.SET && word < DP_WORDS && (KINDS[word] & kinds) !== 0) return SlowPath.ACTION;
    at += NESTED_AT[op] ?? Math.max(1, program[at] >>> 8);
  }
  return 0;
}

/** What the datapath runs instead. `meter` is that of the slow path, null for none. */
export function slowProgram(reasons: number, meter: number | null): Int32Array {
  const builder = new ProgramBuilder();
  if (meter === null) builder.userspace(CookieKind.SLOW_PATH, reasons);
  else {
    const place = builder.beginSample(ALWAYS);
    builder.meter(meter);
    builder.userspace(CookieKind.SLOW_PATH, reasons);
    builder.end(place);
  }
  return builder.take();
}
