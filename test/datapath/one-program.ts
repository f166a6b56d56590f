/** A datapath with three dummy ports and a clock in hand that runs one program on frames from port 1. */
import type { FrameOffload, PortNo, Upcall } from '../../src/datapath/datapath.ts';
import { NO_OFFLOAD } from '../../src/datapath/datapath.ts';
import { InlineDatapath } from '../../src/datapath/inline-datapath.ts';
import { ProgramBuilder } from '../../src/datapath/program.ts';
import * as K from '../../src/packet/key.ts';
import type { Clock } from '../../src/util/clock.ts';

export const P = (n: number) => n as PortNo;
export const program = (build: (b: ProgramBuilder) => void) => {
  const b = new ProgramBuilder();
  build(b);
  return b.take();
};

export async function setup() {
  let nowMs = 1000;
  const clock: Clock = {
    now: () => nowMs,
    wall: () => 0,
    after: () => ({ cancel() {} }),
    every: () => ({ cancel() {} }),
  };
  const datapath = new InlineDatapath(clock);
  const sent: [number, Uint8Array][] = [];
  for (const n of [1, 2, 3]) {
    await datapath.addPort(P(n), `p${n}`, { kind: 'dummy', mtu: 9000 });
    datapath.onTransmit(P(n), (frame) => sent.push([n, frame]));
  }
  const upcalls: Upcall[] = [];
  datapath.onUpcall(
    (upcall) => upcalls.push(upcall),
    () => {},
  );
  /** What leaves when a frame from port 1 has the program. */
  const run = (
    frame: Uint8Array,
    build: (b: ProgramBuilder) => void,
    offload: FrameOffload = NO_OFFLOAD,
  ) => {
    sent.length = 0;
    upcalls.length = 0;
    datapath.putFlow(1, { words: [K.RECIRC_ID], values: [0], masks: [-1] }, program(build));
    datapath.injectFrame(P(1), frame, offload);
    return sent.map(([, bytes]) => bytes);
  };
  return {
    datapath,
    run,
    sent,
    upcalls,
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}
