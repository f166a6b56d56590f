/** A port with a descriptor of the kernel behind it: what the loop asks of it besides moving frames. */
import type { Port } from './port.ts';

/** How far the ring of a descriptor was read, as an offset in it. */
export interface RingPlace {
  readonly fd: number;
  readonly at: number;
}

export interface DevicePort extends Port {
  /** Further descriptors to wait on. */
  readonly moreFds?: readonly number[];
  /** True when a frame waits, as far as that can be told without a system call. */
  hasFrame(): boolean;
  /** epoll reported an error. Clears it; false when the device is gone and polling would only spin. */
  onDeviceError(): boolean;
  /** Adds what the kernel dropped on our behalf to the statistics. A system call: rarely. */
  collectDrops(): void;
  /** Between batches: what the next one to read the same rings has to know. */
  places?(): readonly RingPlace[];
}
