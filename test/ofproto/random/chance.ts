/** Choices from a seed, for tests that make up tables and frames: the same seed gives the same ones. */
import { random32 } from '../lab.ts';

export interface Chance {
  /** 32 bits. */
  readonly words: () => number;
  /** 0..below-1. */
  readonly next: (below: number) => number;
  readonly pick: <T>(list: readonly T[]) => T;
}

export function chanceOf(seed: number): Chance {
  const words = random32(seed);
  const next = (below: number): number => words() % below;
  return { words, next, pick: (list) => list[next(list.length)] };
}

// Few values, so that tables and frames meet.
export const MACS = [0x020000000001n, 0x020000000002n, 0x0180c200000en, 0xffffffffffffn];
export const ADDRESSES = [0x0a000001, 0x0a000002, 0x0a010101, 0xc0a80001, 0xe0000001];
export const PORTS = [0, 1, 53, 80, 443, 1024, 8080, 0xffff];
