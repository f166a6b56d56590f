/**
 * From what is wanted and what runs to the steps between them. Pure.
 *
 * Removals come first (a new port may need the name or the device of an old one), then bridges, interfaces and bundles. A wanted
 * thing that could not be had stays absent from what runs, so that every later plan tries it again.
 */
import { type BundleSettings, sameBundleSettings } from '../ofproto/bundle.ts';
import type { WantedBridge, WantedInterface, WantedPort } from './wanted.ts';

export type Step =
  | {
      readonly kind: 'remove-interface';
      readonly bridge: string;
      readonly name: string;
      readonly forget: boolean;
    }
  | { readonly kind: 'remove-bundle'; readonly bridge: string; readonly name: string }
  | { readonly kind: 'remove-bridge'; readonly name: string }
  | { readonly kind: 'add-bridge'; readonly want: WantedBridge }
  | { readonly kind: 'configure-bridge'; readonly want: WantedBridge }
  | { readonly kind: 'add-interface'; readonly bridge: string; readonly want: WantedInterface }
  | { readonly kind: 'set-bundle'; readonly bridge: string; readonly want: WantedPort };

/** What plan has to know of a running bridge. */
export interface RunningBridgeView {
  readonly datapathType: string;
  /** bridgeIdentity() of the settings in force. */
  readonly settings: string;
  readonly interfaces: ReadonlyMap<string, RunningInterfaceView>;
  readonly bundles: ReadonlyMap<string, RunningBundleView>;
}

export interface RunningInterfaceView {
  /** interfaceIdentity() of the request that it was opened for. */
  readonly identity: string;
  /** False when the device behind it is gone or replaced. */
  readonly current: boolean;
}

export interface RunningBundleView {
  readonly settings: BundleSettings;
  readonly members: readonly string[];
}

/** Two interfaces with the same identity need no reopening. */
export function interfaceIdentity(want: WantedInterface): string {
  return JSON.stringify([want.type, want.ofportRequest, Object.entries(want.options).sort()]);
}

/** Two bridges with the same identity are configured alike. */
export function bridgeIdentity(want: WantedBridge): string {
  const { datapathType, failMode, macAgingSeconds, macTableSize, forwardBpdu, floodVlans } = want;
  return JSON.stringify([
    datapathType,
    failMode,
    macAgingSeconds,
    macTableSize,
    forwardBpdu,
    floodVlans,
  ]);
}

/** Types system and netdev are one datapath: changing between them disturbs no device (ADR 5). */
const sameDatapath = (a: string, b: string): boolean => (a === 'dummy') === (b === 'dummy');

export function plan(
  wanted: readonly WantedBridge[],
  running: ReadonlyMap<string, RunningBridgeView>,
): Step[] {
  const wantedByName = new Map(wanted.map((bridge) => [bridge.name, bridge]));
  const removals: Step[] = [];
  const additions: Step[] = [];
  for (const [name, bridge] of running) {
    const want = wantedByName.get(name);
    const keeps = want !== undefined && sameDatapath(want.datapathType, bridge.datapathType);
    planRemovals(name, bridge, keeps ? want : null, removals);
    if (!keeps) removals.push({ kind: 'remove-bridge', name });
  }
  for (const want of wanted) {
    const bridge = running.get(want.name);
    const isKept = bridge !== undefined && sameDatapath(bridge.datapathType, want.datapathType);
    const kept = isKept ? bridge : null;
    if (kept === null) additions.push({ kind: 'add-bridge', want });
    else if (kept.settings !== bridgeIdentity(want)) {
      additions.push({ kind: 'configure-bridge', want });
    }
    planAdditions(want, kept, additions);
  }
  return [...removals, ...additions];
}

function planRemovals(
  name: string,
  bridge: RunningBridgeView,
  want: WantedBridge | null,
  steps: Step[],
): void {
  const interfaces = new Map(
    (want?.ports ?? []).flatMap((port) => port.interfaces.map((iface) => [iface.name, iface])),
  );
  for (const [ifaceName, view] of bridge.interfaces) {
    const iface = interfaces.get(ifaceName);
    if (iface !== undefined && keeps(iface, view)) continue;
    steps.push({
      kind: 'remove-interface',
      bridge: name,
      name: ifaceName,
      forget: iface === undefined,
    });
  }
  const ports = new Set((want?.ports ?? []).map((port) => port.name));
  for (const bundle of bridge.bundles.keys()) {
    if (!ports.has(bundle)) steps.push({ kind: 'remove-bundle', bridge: name, name: bundle });
  }
}

function planAdditions(want: WantedBridge, kept: RunningBridgeView | null, steps: Step[]): void {
  for (const port of want.ports) {
    let isStale = false;
    for (const iface of port.interfaces) {
      const view = kept?.interfaces.get(iface.name);
      if (iface.error !== null || (view !== undefined && keeps(iface, view))) continue;
      steps.push({ kind: 'add-interface', bridge: want.name, want: iface });
      isStale = true;
    }
    const bundle = kept?.bundles.get(port.name);
    const members = port.interfaces.filter((iface) => iface.error === null).map((i) => i.name);
    const isSame =
      bundle !== undefined &&
      !isStale &&
      sameBundleSettings(bundle.settings, port.settings) &&
      members.join('\n') === bundle.members.join('\n');
    if (!isSame) steps.push({ kind: 'set-bundle', bridge: want.name, want: port });
  }
}

const keeps = (want: WantedInterface, view: RunningInterfaceView): boolean =>
  want.error === null && view.current && view.identity === interfaceIdentity(want);
