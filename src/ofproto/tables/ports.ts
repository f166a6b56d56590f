/** Ports as OpenFlow sees them: descriptions, and port-mod. */
import type { Bridge } from '../bridge.ts';
import type { BridgePort } from '../bridge-port.ts';
import type { OfError, PortDescription, PortMod } from '../model.ts';
import { OFPPC_PORT_DOWN, OFPPS_LINK_DOWN, OFPPS_LIVE } from '../port-flags.ts';

/** Configuration bits that can be changed; the others are ignored, as the original ignores them. */
const CHANGEABLE = 0x7f;

export function describePort(port: BridgePort): PortDescription {
  const isLive = port.isUp && (port.config & OFPPC_PORT_DOWN) === 0;
  return {
    port: port.ofPort,
    name: port.name,
    hwAddr: port.hwAddr,
    config: port.config,
    state: isLive ? OFPPS_LIVE : OFPPS_LINK_DOWN,
    current: port.link.current,
    advertised: port.link.advertised,
    supported: port.link.supported,
    peer: port.link.peer,
    currentSpeedKbps: port.link.currentSpeedKbps,
    maxSpeedKbps: port.link.maxSpeedKbps,
  };
}

/** By number, the local port last, as the original orders them in dumps. */
export function describePorts(bridge: Bridge): PortDescription[] {
  return [...bridge.ports()].sort((a, b) => a.ofPort - b.ofPort).map(describePort);
}

/** Carries a port-mod out; null for success. */
export function applyPortMod(bridge: Bridge, mod: PortMod): OfError | null {
  const port = bridge.port(mod.port);
  if (port === null) return { error: 'OFPPMFC_BAD_PORT' };
  if (port.hwAddr !== mod.hwAddr) return { error: 'OFPPMFC_BAD_HW_ADDR' };
  let mask = mod.mask & CHANGEABLE;
  const isDown = (mod.config & OFPPC_PORT_DOWN) !== 0;
  if ((mask & (mod.config ^ port.config) & OFPPC_PORT_DOWN) !== 0 && !port.setAdminUp(!isDown)) {
    // As in the original, a device that has no such state (a patch port) stays up, and the others of the bits count.
    mask &= ~OFPPC_PORT_DOWN;
  }
  bridge.setPortConfig(port, (port.config & ~mask) | (mod.config & mask));
  return null;
}
