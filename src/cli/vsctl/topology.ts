/**
 * Bridges, ports and interfaces as ovs-vsctl(8) sees them: a port of a bridge that says `fake_bridge` is a bridge of its own, for one VLAN,
 * and ports with that tag are its ports ("Linux VLAN Bridging Compatibility").
 */
import type { Attempt, RowRef } from './attempt.ts';
import { firstRow } from './attempt.ts';
import { fail } from './vsctl-error.ts';

export interface BridgeNode {
  readonly name: string;
  /** The Bridge row; null for a fake bridge. */
  readonly row: RowRef | null;
  readonly parent: BridgeNode | null;
  /** Of a fake bridge. */
  readonly vlan: number;
  readonly ports: PortNode[];
  /** Fake bridges by VLAN. */
  readonly children: Map<number, BridgeNode>;
}

export interface PortNode {
  readonly name: string;
  readonly row: RowRef;
  readonly bridge: BridgeNode;
  readonly interfaces: InterfaceNode[];
}

export interface InterfaceNode {
  readonly name: string;
  readonly row: RowRef;
  readonly port: PortNode;
}

const MAX_VLAN = 4095;
export const isVlan = (vlan: number): boolean => vlan >= 0 && vlan <= MAX_VLAN;

/** The real bridge behind a bridge. */
export const realRow = (bridge: BridgeNode): RowRef => (bridge.row ?? bridge.parent?.row) as RowRef;

export class Topology {
  readonly attempt: Attempt;
  /** The row of table Open_vSwitch. */
  readonly root: RowRef;
  readonly bridges = new Map<string, BridgeNode>();
  readonly ports = new Map<string, PortNode>();
  readonly interfaces = new Map<string, InterfaceNode>();
  private readonly warn: (text: string) => void;

  constructor(attempt: Attempt, warn: (text: string) => void) {
    this.attempt = attempt;
    this.warn = warn;
    this.root = firstRow(attempt, 'Open_vSwitch') ?? fail('no row in table Open_vSwitch');
    const rows = attempt.refs(this.root, 'bridges');
    for (const row of rows) this.addBridges(row);
    for (const row of rows) this.addPorts(row);
  }

  private addBridge(
    name: string,
    row: RowRef | null,
    parent: BridgeNode | null,
    vlan: number,
  ): BridgeNode {
    const bridge: BridgeNode = { name, row, parent, vlan, ports: [], children: new Map() };
    const conflict = parent?.children.get(vlan);
    if (parent !== null && conflict !== undefined) {
      this.warn(
        `${parent.name}: bridge has multiple VLAN bridges (${name} and ${conflict.name}) for VLAN ${vlan}, but only one is allowed`,
      );
    } else parent?.children.set(vlan, bridge);
    this.bridges.set(name, bridge);
    return bridge;
  }

  private fakeVlan(port: RowRef): number | null {
    const tag = this.attempt.value(port, 'tag');
    if (this.attempt.value(port, 'fake_bridge') !== true || typeof tag !== 'number') return null;
    return isVlan(tag) ? tag : null;
  }

  private addBridges(row: RowRef): void {
    const { attempt } = this;
    const name = attempt.text(row, 'name');
    if (this.bridges.has(name)) {
      this.warn(`${name}: database contains duplicate bridge name`);
      return;
    }
    const bridge = this.addBridge(name, row, null, 0);
    for (const port of attempt.refs(row, 'ports')) {
      const vlan = this.fakeVlan(port);
      const fake = attempt.text(port, 'name');
      if (vlan !== null && !this.bridges.has(fake)) this.addBridge(fake, null, bridge, vlan);
    }
  }

  private addPorts(row: RowRef): void {
    const { attempt } = this;
    const bridge = this.bridges.get(attempt.text(row, 'name'));
    if (bridge?.row?.uuid !== row.uuid) return;
    for (const port of attempt.refs(row, 'ports')) {
      const name = attempt.text(port, 'name');
      const other = this.ports.get(name);
      if (other !== undefined) {
        this.warn(`${name}: port is in multiple bridges (${bridge.name} and ${other.bridge.name})`);
      } else this.addPort(bridge, name, port);
    }
  }

  private addPort(bridge: BridgeNode, name: string, row: RowRef): void {
    const { attempt } = this;
    const tag = attempt.value(row, 'tag');
    const owner = (typeof tag === 'number' ? bridge.children.get(tag) : undefined) ?? bridge;
    const port: PortNode = { name, row, bridge: owner, interfaces: [] };
    // The port that makes a fake bridge is the bridge's own, like the local port of a real one.
    owner.ports.push(port);
    this.ports.set(name, port);
    for (const iface of attempt.refs(row, 'interfaces')) {
      const ifaceName = attempt.text(iface, 'name');
      const other = this.interfaces.get(ifaceName);
      if (other !== undefined) {
        this.warn(`${ifaceName}: interface is in multiple ports (${other.port.name} and ${name})`);
        continue;
      }
      const node: InterfaceNode = { name: ifaceName, row: iface, port };
      port.interfaces.push(node);
      this.interfaces.set(ifaceName, node);
    }
  }

  /** What this view was made from must not have changed when the transaction is carried out. */
  verifyPorts(): void {
    const { attempt } = this;
    attempt.verifyNamed(this.root, 'bridges');
    for (const { row } of this.bridges.values())
      if (row !== null) attempt.verifyNamed(row, 'ports');
    for (const { row } of this.ports.values()) attempt.verifyNamed(row, 'interfaces');
  }

  findBridge(name: string): BridgeNode | undefined {
    this.attempt.verifyNamed(this.root, 'bridges');
    return this.bridges.get(name);
  }

  /** Throws VsctlError when there is none. */
  bridge(name: string): BridgeNode {
    return this.findBridge(name) ?? fail(`no bridge named ${name}`);
  }

  realBridge(name: string): BridgeNode {
    const bridge = this.bridge(name);
    if (bridge.parent !== null) fail(`${name} is a fake bridge`);
    return bridge;
  }

  /** A port that is not a bridge's own. */
  findPort(name: string): PortNode | undefined {
    this.verifyPorts();
    const port = this.ports.get(name);
    return port === undefined || port.bridge.name === name ? undefined : port;
  }

  port(name: string): PortNode {
    return this.findPort(name) ?? fail(`no port named ${name}`);
  }

  findInterface(name: string): InterfaceNode | undefined {
    this.verifyPorts();
    const iface = this.interfaces.get(name);
    return iface === undefined || iface.port.bridge.name === name ? undefined : iface;
  }

  interface(name: string): InterfaceNode {
    return this.findInterface(name) ?? fail(`no interface named ${name}`);
  }

  /** Throws VsctlError, beginning with `message`, when something has the name already. */
  checkConflicts(name: string, message: string): void {
    this.verifyPorts();
    if (this.bridges.has(name)) {
      fail(`${message} because a bridge named ${name} already exists`);
    }
    const port = this.ports.get(name);
    if (port !== undefined) {
      fail(`${message} because a port named ${name} already exists on bridge ${port.bridge.name}`);
    }
    const iface = this.interfaces.get(name);
    if (iface !== undefined) {
      fail(
        `${message} because an interface named ${name} already exists on bridge ${iface.port.bridge.name}`,
      );
    }
  }
}
