/** When a standalone bridge takes over from its controllers, and when it gives back. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FailOpen } from '../../../src/ofproto/openflow/fail-open.ts';
import type { OpenflowReconnect } from '../../../src/ofproto/openflow/reconnect.ts';
import { LogRecorder } from '../../ovsdb/support/log-recorder.ts';
import { Lab } from '../lab.ts';

const PROBE_MS = 1000;

let lab: Lab;
beforeEach(() => {
  lab = new Lab();
});
afterEach(() => lab.switch.close());

const watch = () => {
  const bridge = lab.bridge('br0');
  const rconn = { isConnected: false, isActing: false, actedMs: lab.clock.now() };
  let nudges = 0;
  bridge.listener = {
    ...bridge.listener,
    packetIn: () => {
      nudges++;
    },
  };
  const failOpen = new FailOpen(bridge, lab.clock, new LogRecorder().module('fail_open'), () => [
    { rconn: rconn as OpenflowReconnect, probeMs: PROBE_MS },
  ]);
  bridge.setHasControllers(true);
  failOpen.configure(true);
  return { bridge, rconn, failOpen, nudges: () => nudges };
};

test('takes over after three probe intervals without a controller', () => {
  const { bridge } = watch();
  lab.clock.advance(3 * PROBE_MS - 1);
  expect(bridge.isFailOpen).toBe(false);
  lab.clock.advance(1);
  expect(bridge.isFailOpen).toBe(true);
});

test('gives back to a controller that acts, not to one that merely connects, which is nudged', () => {
  const { bridge, rconn, failOpen, nudges } = watch();
  lab.clock.advance(3 * PROBE_MS);
  rconn.isConnected = true;
  failOpen.check();
  lab.clock.advance(4000);
  expect(bridge.isFailOpen).toBe(true);
  expect(nudges()).toBe(3);
  rconn.isActing = true;
  failOpen.check();
  expect(bridge.isFailOpen).toBe(false);
  lab.clock.advance(60_000);
  expect(nudges()).toBe(3);
});

test('ends with the mode', () => {
  const { bridge, failOpen } = watch();
  lab.clock.advance(3 * PROBE_MS);
  failOpen.configure(false);
  expect(bridge.isFailOpen).toBe(false);
});
