/**
 * Which DevicePort a worker makes of a PortSpec: one that receives, or, where other workers have all the receive queues, one that
 * only sends. The kernel takes frames from any thread by any descriptor, so sending needs nothing but the descriptor.
 */
import type { MappedRegion } from '../sys/mapped-region.ts';
import type { AddPort } from './commands.ts';
import type { PortNo, PortSpec } from './datapath.ts';
import type { DevicePort } from './device-port.ts';
import type { FrameBuffers } from './frame-buffers.ts';
import { MultiQueuePort } from './multi-queue-port.ts';
import { PacketPlainPort } from './packet-plain-port.ts';
import { PacketPort } from './packet-port.ts';
import type { Shared } from './shared.ts';
import { TapPort } from './tap-port.ts';
import { TunnelPort } from './tunnel-port.ts';
import { VhostPort } from './vhost-port.ts';

export type DeviceSpec = Exclude<PortSpec, { kind: 'dummy' }>;

export interface DevicePortDeps {
  readonly region: MappedRegion;
  readonly buffers: FrameBuffers;
  readonly shared: Shared;
}

/** Whether the port is to be waited on: it has frames for this worker, be it only some that it makes itself. */
export const isPolled = ({ spec, queues }: AddPort): boolean =>
  queues.length > 0 || spec.kind === 'tunnel';

/** Throws what the constructor of the port throws: SystemError, RangeError. */
export function openDevicePort(request: AddPort, deps: DevicePortDeps): DevicePort {
  const opened: DevicePort[] = [];
  try {
    for (const queue of request.queues) opened.push(openQueue(request, queue as DeviceSpec, deps));
    if (opened.length === 0) opened.push(openSender(request, deps));
  } catch (failure) {
    for (const port of opened) port.close();
    throw failure;
  }
  return opened.length === 1 ? opened[0] : new MultiQueuePort(opened);
}

function openQueue(
  { port, name, places }: AddPort,
  spec: DeviceSpec,
  { region, buffers, shared }: DevicePortDeps,
): DevicePort {
  const portNo = port as PortNo;
  switch (spec.kind) {
    case 'packet': {
      const startAt = places.find(({ fd }) => fd === spec.fd)?.at;
      return new PacketPort(portNo, name, spec, region, buffers, shared, -1, startAt);
    }
    case 'packet-plain':
      return new PacketPlainPort(portNo, name, spec, region, buffers, shared);
    case 'tap':
      return new TapPort(portNo, name, spec, region, buffers, shared);
    case 'vhost-user':
      return new VhostPort(portNo, name, spec, region, buffers, shared);
    case 'tunnel':
      return new TunnelPort(portNo, name, spec, region, shared);
  }
}

function openSender({ port, name, spec }: AddPort, deps: DevicePortDeps): DevicePort {
  const { region, buffers, shared } = deps;
  const portNo = port as PortNo;
  switch (spec.kind) {
    case 'packet':
    case 'packet-plain': {
      const { fd, sendFd, mtu } = spec;
      const plain = { kind: 'packet-plain', fd, sendFd, mtu } as const;
      return new PacketPlainPort(portNo, name, plain, region, buffers, shared);
    }
    case 'tap':
      return new TapPort(portNo, name, spec, region, buffers, shared);
    case 'vhost-user':
      return new VhostPort(portNo, name, spec, region, buffers, shared);
    case 'tunnel':
      return new TunnelPort(portNo, name, spec, region, shared, false);
    case 'dummy':
      throw new Error(`${name}: a dummy port has no device`);
  }
}
