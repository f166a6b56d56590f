/**
 * `npm run bench:tunnels`: packets a second of each TunnelTransport, over VXLAN from a port to itself through loopback: sent, through
 * the kernel, received and decoded, in one thread. The ratio says what the fast one is worth.
 */
import { Batch } from '../src/datapath/batch.ts';
import type { PortNo } from '../src/datapath/datapath.ts';
import { Shared } from '../src/datapath/shared.ts';
import { extract } from '../src/packet/extract.ts';
import { DP_WORDS, TUN_DST, TUN_FLAGS, TUN_TP } from '../src/packet/key.ts';
import { mappedRegion } from '../src/sys/mapped-region.ts';
import { TunnelFlag } from '../src/tunnels/tunnel-words.ts';
import { buildFrame } from '../test/packet/frame-builder.ts';
import {
  kernelTransport,
  type OpenTransport,
  portableTransport,
} from '../test/support/tunnel-transports.ts';

const LOOPBACK = 0x7f000001;
const FRAMES = 16;
const SLOT = 2048;
const RUN_MS = 2000;
/** Looks without a frame after which a round's packets are given up as lost. */
const MAX_EMPTY = 200;

async function packetsPerSecond(
  io: 'kernel' | 'portable',
  open: OpenTransport,
  payloadBytes: number,
): Promise<number> {
  const region = mappedRegion();
  const shared = new Shared();
  const udpPort = 20_000 + (process.pid % 19_000);
  shared.assignPort(1 as PortNo);
  const port = await open(
    1 as PortNo,
    {
      kind: 'tunnel',
      io,
      encapsulation: 'vxlan',
      families: [4],
      udpPort,
      gbp: false,
      sequence: false,
      firstSourcePort: 40_000,
      lastSourcePort: 60_000,
      answersTooBig: false,
      mtu: 65_535,
    },
    region,
    shared,
  );
  const memory = region.allocate(FRAMES * SLOT);
  const out = new Batch();
  const { frame } = buildFrame({ proto: 'udp', payload: new Uint8Array(payloadBytes) });
  for (let i = 0; i < FRAMES; i++) {
    const at = memory + i * SLOT + 128;
    region.bytes.set(frame, at);
    const p = out.append(2, at, frame.length, 128);
    extract(region, out, p);
    const key = p * DP_WORDS;
    out.keys[key + TUN_DST] = LOOPBACK;
    out.keys[key + TUN_TP] = udpPort;
    out.keys[key + TUN_FLAGS] = (TunnelFlag.KEY << 16) | 64;
  }
  const got = new Batch();
  let packets = 0;
  const startMs = performance.now();
  let nowMs = startMs;
  for (; nowMs - startMs < RUN_MS; nowMs = performance.now()) {
    for (let p = 0; p < FRAMES; p++) port.send(out, p);
    port.flush();
    let left = FRAMES;
    for (let empty = 0; left > 0 && empty < MAX_EMPTY; ) {
      got.clear();
      const count = port.receive(got);
      port.release();
      left -= count;
      packets += count;
      if (count > 0) continue;
      empty++;
      await new Promise<void>((turn) => setImmediate(turn));
    }
  }
  port.close();
  region.close();
  return (packets * 1000) / (nowMs - startMs);
}

for (const payloadBytes of [18, 1358]) {
  const kernel = await packetsPerSecond('kernel', kernelTransport, payloadBytes);
  const portable = await packetsPerSecond('portable', portableTransport, payloadBytes);
  console.log(
    `VXLAN, frames of ${payloadBytes + 42} bytes: sockets ${Math.round(kernel)} packets/s, portable ${Math.round(portable)}, ratio ${(kernel / portable).toFixed(1)}`,
  );
}
