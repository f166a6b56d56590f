/**
 * A network device behind an Interface row, as the configuration sees it: something that gives the datapath a way to move
 * frames (`spec`) and the database something true to say (`status`). One opener per interface type stands in a table
 * (netdev-types.ts); the datapath knows nothing of types.
 */
import {
  type Datapath,
  MAX_WORKERS,
  type PortNo,
  type PortSpec,
  type PortStats,
} from '../../datapath/datapath.ts';
import type { TunnelConfig } from '../../tunnels/tunnel-config.ts';
import type { RunningDevice } from '../report-ops.ts';
import type { WantedInterface } from '../wanted.ts';

export interface Netdev {
  readonly name: string;
  /** Type as `dpif/show` prints it: system, tap, dummy, ... */
  readonly typeText: string;
  /** How the datapath moves frames; null for a port that has none there (patch). */
  readonly spec: PortSpec | null;
  /** For a tunnel: what is encapsulated how. Its packets move by a port that others share. */
  readonly tunnel?: TunnelConfig;
  /** Options that were passed over, to be logged. */
  readonly warnings?: readonly string[];
  /** Counters of its own by name, beside packets and bytes; a device that has some counts no errors. */
  customCounters?(stats: PortStats): Readonly<Record<string, number>>;
  /** Interface index in our network namespace when opened; 0 where there is none. */
  readonly ifindex: number;
  /** False once the device is gone or is another one under the same name: it must be opened anew. */
  current(): boolean;
  status(): RunningDevice;
  /** Sets the MTU in bytes; throws SystemError. */
  setMtu(mtu: number): void;
  /** Sets the MAC address; throws SystemError. */
  setMac(mac: bigint): void;
  /** Sets the device administratively up or down; throws SystemError. Absent where there is no such state. */
  setAdminUp?(up: boolean): void;
  /**
   * Called when the datapath refused `spec`: opens the device in a plainer way, so that `spec` is another one. False when there is
   * none.
   */
  fallBack?(): Promise<boolean>;
  /** Has the kernel join TCP segments that come in by the device; false when that is left to the datapath. */
  setGro?(on: boolean): boolean;
  /** Called after the datapath took the port and before frames matter. */
  attached?(port: PortNo): void;
  /** Gives the device back. `remove`: the port was deleted, so a device of ours disappears. */
  close(remove: boolean): Promise<void>;
}

/** A device that cannot be opened; the message is what the `error` column says. */
export class NetdevError extends Error {
  /** What the log says besides. */
  readonly logLine: string | null;

  constructor(message: string, logLine: string | null = null) {
    super(message);
    this.logLine = logLine;
    this.name = 'NetdevError';
  }
}

/** Opens the device of an interface. Rejects with a NetdevError. */
export type OpenNetdev = (want: WantedInterface) => Promise<Netdev>;

/** Gives a device to the datapath, opened in a plainer way when that refuses the best one. Rejects with the last reason. */
export async function addToDatapath(
  datapath: Datapath,
  portNo: PortNo,
  netdev: Netdev,
): Promise<void> {
  const { name, spec } = netdev;
  if (spec === null) return;
  try {
    await datapath.addPort(portNo, name, spec);
  } catch (failure) {
    const hasOther = (await netdev.fallBack?.()) ?? false;
    // A second one, since the device has another specification now.
    const other = hasOther ? netdev.spec : null;
    if (other === null) throw failure;
    await datapath.addPort(portNo, name, other);
  }
}

/** Receive queues that `options:n_rxq` asks for, and what is to be logged of a value that cannot be. */
export function receiveQueues({ name, options }: WantedInterface): {
  count: number;
  warnings: readonly string[];
} {
  const asked = options.n_rxq;
  if (asked === undefined) return { count: 1, warnings: [] };
  const number = /^\d+$/.test(asked) ? Number(asked) : 1;
  const count = Math.min(Math.max(number, 1), MAX_WORKERS);
  if (`${count}` === asked) return { count, warnings: [] };
  return {
    count,
    warnings: [
      `${name}: options:n_rxq=${asked} is no number from 1 to ${MAX_WORKERS}, ${count} is taken`,
    ],
  };
}

/** The methods of moving frames that `options:io` may name. Throws a NetdevError that names them. */
export function chosenIo<T extends string>(want: WantedInterface, methods: readonly T[]): T | null {
  const chosen = want.options.io;
  if (chosen === undefined || chosen === 'auto') return null;
  const method = methods.find((each) => each === chosen);
  if (method === undefined) {
    throw new NetdevError(
      `could not open network device ${want.name}: options:io=${chosen}: not one of ${['auto', ...methods].join(', ')}`,
    );
  }
  return method;
}
