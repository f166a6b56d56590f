import { describe, expect, it } from 'vitest';
import { RealClock } from '../../src/util/real-clock.ts';
import { VirtualClock } from '../../src/util/virtual-clock.ts';

describe('VirtualClock', () => {
  it('runs timers in order of their due time, each at its own time', () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    clock.after(20, () => seen.push(`b${clock.now()}`));
    clock.after(10, () => seen.push(`a${clock.now()}`));
    clock.every(15, () => seen.push(`p${clock.now()}`));
    clock.advance(31);
    expect(seen).toEqual(['a10', 'p15', 'b20', 'p30']);
  });

  it('runs timers of equal time in the order of arming', () => {
    const clock = new VirtualClock();
    const seen: number[] = [];
    for (let i = 0; i < 50; i++) clock.after(5, () => seen.push(i));
    clock.advance(5);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen).toHaveLength(50);
  });

  it('never calls a cancelled timer, not even one cancelled by its neighbour', () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    const victim = { cancel: () => {} };
    clock.after(1, () => victim.cancel());
    victim.cancel = clock.after(1, () => seen.push('victim')).cancel;
    const periodic = clock.every(1, () => {
      seen.push('once');
      periodic.cancel();
    });
    clock.advance(10);
    expect(seen).toEqual(['once']);
  });

  it('stays correct when thousands of timers are armed and cancelled', () => {
    const clock = new VirtualClock();
    let calls = 0;
    for (let i = 0; i < 5000; i++) {
      const timer = clock.after(i % 97, () => calls++);
      if (i % 5 !== 0) timer.cancel();
    }
    clock.advance(100);
    expect(calls).toBe(1000);
  });
});

describe('RealClock', () => {
  it('fires a timer by itself while it runs', async () => {
    const clock = new RealClock();
    const start = clock.now();
    await new Promise<void>((resolve) => {
      const keepAlive = setTimeout(() => {}, 10_000);
      clock.after(20, () => {
        clearTimeout(keepAlive);
        resolve();
      });
    });
    expect(clock.now() - start).toBeGreaterThanOrEqual(20);
    expect(Number.isInteger(clock.now())).toBe(true);
  });

  it('holds every timer once stopped, and runs them when warped', async () => {
    const clock = new RealClock();
    const seen: number[] = [];
    const start = clock.now();
    clock.every(100, () => seen.push(clock.now() - start));
    clock.stop();
    const held = clock.now();
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(clock.now()).toBe(held);
    expect(seen).toEqual([]);
    await clock.warp(1000, 100);
    expect(clock.now()).toBe(held + 1000);
    expect(seen).toHaveLength(10);
  });

  it('lets promises that a timer starts settle before the next step', async () => {
    const clock = new RealClock();
    clock.stop();
    const order: string[] = [];
    clock.after(10, () => {
      void Promise.resolve().then(() => {
        order.push('promise');
        clock.after(10, () => order.push('armed by the promise'));
      });
    });
    clock.after(30, () => order.push('later'));
    await clock.warp(40, 10);
    expect(order).toEqual(['promise', 'armed by the promise', 'later']);
  });

  it('fires a periodic timer once per jump', async () => {
    const clock = new RealClock();
    clock.stop();
    let calls = 0;
    clock.every(10, () => calls++);
    await clock.warp(1000, 1000);
    expect(calls).toBe(1);
  });
});
