/**
 * Scheduling priority of a thread. A switch shares its processors with the programs whose packets it moves: one that floods it must
 * not take the time in which the flood would be handled. Open vSwitch's start script gives its whole daemon a niceness of -10.
 */
import { setpriority } from './libc.ts';

const PRIO_PROCESS = 0;

/** Sets the niceness of the calling thread, and of threads that it starts later. Refused without CAP_SYS_NICE: then all stays as it is. */
export const setNiceness = (niceness: number): void => {
  setpriority(PRIO_PROCESS, 0, niceness);
};
