/**
 * Which asynchronous messages a connection hears, by its role and what it asked for (OpenFlow 1.3.5, 6.3.5 and 7.3.10). Bit n of a mask is
 * reason n of the message.
 */
import type { AsyncConfig } from '../codec/async-config.ts';
import { OF13, OF14, type OfVersion } from '../codec/versions.ts';

export type AsyncKind = keyof AsyncConfig['primary'];
export type Role = 'equal' | 'primary' | 'secondary';

type Masks = Record<AsyncKind, number>;

const none = (): Masks => ({
  packetIn: 0,
  portStatus: 0,
  flowRemoved: 0,
  roleStatus: 0,
  tableStatus: 0,
  requestForward: 0,
});

/** All but invalid TTLs: the reasons that 1.4 added are kinds of `action`, which every version has. */
const PACKET_IN_DEFAULT = 0x3b;
const PORT_STATUS_ALL = 0x7;

/** Idle, hard, delete; groups' since 1.3; meters' and eviction since 1.4. */
const flowRemovedDefault = (version: OfVersion): number =>
  version >= OF14 ? 0x3f : version === OF13 ? 0xf : 0x7;

export class AsyncFilter {
  private readonly primary = none();
  private readonly secondary = none();

  constructor(version: OfVersion) {
    this.primary.packetIn = PACKET_IN_DEFAULT;
    this.primary.portStatus = this.secondary.portStatus = PORT_STATUS_ALL;
    this.primary.flowRemoved = flowRemovedDefault(version);
  }

  /** What is not said stays as it is. */
  set(config: AsyncConfig): void {
    for (const [masks, given] of [
      [this.primary, config.primary],
      [this.secondary, config.secondary],
    ] as const) {
      for (const kind of Object.keys(masks) as AsyncKind[]) {
        const mask = given[kind];
        if (mask !== null) masks[kind] = mask;
      }
    }
  }

  get config(): AsyncConfig {
    return { primary: { ...this.primary }, secondary: { ...this.secondary } };
  }

  wants(role: Role, kind: AsyncKind, reason: number): boolean {
    const masks = role === 'secondary' ? this.secondary : this.primary;
    return (masks[kind] & (1 << reason)) !== 0;
  }
}
