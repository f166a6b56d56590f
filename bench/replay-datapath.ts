/**
 * The in-memory datapath that replays run through: everything between a port's receive() and send(), in one thread, with
 * the flows of a capture installed as a controller with 5-tuple rules would have them.
 */
import { DatapathCore } from '../src/datapath/core.ts';
import type { LookupOptions } from '../src/datapath/megaflow.ts';
import { ProgramBuilder } from '../src/datapath/program.ts';
import { Shared } from '../src/datapath/shared.ts';
import { keyOf } from '../src/packet/extract.ts';
import {
  ETH_DST,
  ETH_DST_SRC,
  ETH_SRC,
  ETH_TYPE_PROTO,
  IN_PORT,
  IPV4_DST,
  IPV4_SRC,
  IPV6_DST,
  IPV6_SRC,
  RECIRC_ID,
  TOS_TTL,
  TP,
  VLAN0,
} from '../src/packet/key.ts';
import { ETH_TYPE_IPV6 } from '../src/packet/protocol.ts';
import { heapRegion } from '../src/sys/region.ts';
import { ReplayPort, replayBytes } from './replay-port.ts';

/** Scratch memory that the datapath takes for itself. */
const OWN_BYTES = 12 << 20;
const IN = 1;
const OUT = 2;

const L2 = [IN_PORT, RECIRC_ID, ETH_DST, ETH_DST_SRC, ETH_SRC, VLAN0, ETH_TYPE_PROTO];
const WORDS_4 = [...L2, IPV4_SRC, IPV4_DST, TP];
const WORDS_6 = [...L2, ...[0, 1, 2, 3].flatMap((i) => [IPV6_SRC + i, IPV6_DST + i]), TP].sort(
  (a, b) => a - b,
);

export interface ReplaySetup {
  readonly frames: readonly Uint8Array[];
  /** Different masks over which the flows of a kind (IPv6 or not) are spread evenly. */
  readonly masks: number;
  readonly lookup: LookupOptions;
  /** Flows rewrite the TTL and push a VLAN tag. */
  readonly rewrites?: boolean;
  /** Of a power of two masks, each has one flow, which takes all packets whose number falls to it (smallFrames). */
  readonly wide?: boolean;
}

export interface ReplayDatapath {
  readonly core: DatapathCore;
  readonly shared: Shared;
  readonly port: ReplayPort;
  readonly out: ReplayPort;
}

export function replayDatapath(setup: ReplaySetup): ReplayDatapath {
  const region = heapRegion(OWN_BYTES + replayBytes(setup.frames));
  const shared = new Shared();
  const core = new DatapathCore(
    region,
    shared,
    () => true,
    () => 1,
    1,
    setup.lookup,
  );
  const program = new ProgramBuilder();
  if (setup.rewrites) {
    program.set(TOS_TTL, 63 << 16, 0xff0000);
    program.pushVlan(0x8100, 0x1005);
  }
  program.output(OUT);
  const packets = new Set<string>();
  const flows = new Set<string>();
  for (const frame of setup.frames) {
    const key = keyOf(frame, IN);
    const words = key[ETH_TYPE_PROTO] >>> 16 === ETH_TYPE_IPV6 ? WORDS_6 : WORDS_4;
    const packet = words.map((word) => key[word]).join();
    if (packets.has(packet)) continue;
    const wild = packets.size % setup.masks;
    packets.add(packet);
    const masks = words.map(() => 0xffffffff);
    // The masks differ in how much of the (equal) source address of the link they leave out.
    masks[words.indexOf(ETH_SRC)] = (0xffffffff << wild) >>> 0;
    if (setup.wide) {
      masks[words.indexOf(IPV4_SRC)] = setup.masks - 1;
      masks[words.indexOf(TP)] = 0xffff;
    }
    const values = words.map((word, i) => (key[word] & masks[i]) >>> 0);
    const flow = `${wild} ${values.join()}`;
    if (flows.has(flow)) continue;
    core.putFlow(flows.size, { words, values, masks }, program.take());
    flows.add(flow);
  }
  const port = new ReplayPort(IN, region, setup.frames);
  port.restores = setup.rewrites ?? false;
  const out = new ReplayPort(OUT, region, []);
  core.attach(port);
  core.attach(out);
  return { core, shared, port, out };
}
