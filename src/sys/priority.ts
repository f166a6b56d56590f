/**
 * Scheduling priority of threads. A switch shares its processors with the programs whose packets it moves: one that floods it must
 * not take the time in which the flood would be handled. Open vSwitch's start script gives its whole daemon a niceness of -10.
 *
 * Refused without CAP_SYS_NICE: then all stays as it is.
 */
import { readdirSync } from 'node:fs';
import { setpriority } from './libc.ts';

const PRIO_PROCESS = 0;

/** Sets the niceness of the calling thread, and of threads that it starts later. */
export const setNiceness = (niceness: number): void => {
  setpriority(PRIO_PROCESS, 0, niceness);
};

/** Sets it for all threads that there are: those that collect garbage must not keep others waiting for them. */
export const setNicenessOfAll = (niceness: number): void => {
  for (const thread of readdirSync('/proc/self/task')) {
    setpriority(PRIO_PROCESS, Number(thread), niceness);
  }
};
