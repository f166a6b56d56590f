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
  /** OpenFlow number that it has. */
  readonly ofPort: number;
}

export interface RunningBundleView {
  readonly settings: BundleSettings;
  readonly members: readonly string[];
}

/** Two interfaces with the same identity have the same device. */
export function interfaceIdentity(want: WantedInterface): string {
  return JSON.stringify([want.type, Object.entries(want.options).sort()]);
}

/** Two bridges with the same identity are configured alike. */
export function bridgeIdentity(want: WantedBridge): string {
  const { datapathType, failMode, macAgingSeconds, macTableSize, forwardBpdu } = want;
  return JSON.stringify([
    datapathType,
    failMode,
    macAgingSeconds,
    macTableSize,
    forwardBpdu,
    want.floodVlans,
    want.samplesFlows,
  ]);
}

/** Types system and netdev are one datapath: changing between them disturbs no device (ADR 5). */
const sameDatapath = (a: string, b: string): boolean => (a === 'dummy') === (b === 'dummy');

export function plan(
  wanted: readonly WantedBridge[],
  running: ReadonlyMap<string, RunningBridgeView>,
): Step[] {
  const wantedByName = new Map(wanted.map((bridge) => [bridge.name, bridge]));
  const keptOf = new Map<string, ReadonlySet<string>>();
  const removals: Step[] = [];
  const additions: Step[] = [];
  for (const [name, bridge] of running) {
    const want = wantedByName.get(name);
    const keeps = want !== undefined && sameDatapath(want.datapathType, bridge.datapathType);
    const kept = keeps ? keptInterfaces(want, bridge) : NONE;
    keptOf.set(name, kept);
    planRemovals(name, bridge, keeps ? want : null, kept, removals);
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
    planAdditions(want, kept, keptOf.get(want.name) ?? NONE, additions);
  }
  return [...removals, ...additions];
}

function planRemovals(
  name: string,
  bridge: RunningBridgeView,
  want: WantedBridge | null,
  kept: ReadonlySet<string>,
  steps: Step[],
): void {
  const names = new Set((want?.ports ?? []).flatMap((p) => p.interfaces.map((i) => i.name)));
  for (const iface of bridge.interfaces.keys()) {
    if (kept.has(iface)) continue;
    const forget = !names.has(iface);
    steps.push({ kind: 'remove-interface', bridge: name, name: iface, forget });
  }
  const ports = new Set((want?.ports ?? []).map((port) => port.name));
  for (const bundle of bridge.bundles.keys()) {
    if (!ports.has(bundle)) steps.push({ kind: 'remove-bundle', bridge: name, name: bundle });
  }
}

function planAdditions(
  want: WantedBridge,
  running: RunningBridgeView | null,
  kept: ReadonlySet<string>,
  steps: Step[],
): void {
  const missing = (iface: WantedInterface) => iface.error === null && !kept.has(iface.name);
  const added = want.ports.flatMap((port) => port.interfaces.filter(missing));
  // Who asks for a number comes first, so that nobody else happens to get it.
  for (const asks of [true, false]) {
    for (const iface of added) {
      if ((iface.ofportRequest !== null) !== asks) continue;
      steps.push({ kind: 'add-interface', bridge: want.name, want: iface });
    }
  }
  for (const port of want.ports) {
    const isStale = port.interfaces.some(missing);
    const bundle = running?.bundles.get(port.name);
    const members = port.interfaces.filter((iface) => iface.error === null).map((i) => i.name);
    const isSame =
      bundle !== undefined &&
      !isStale &&
      sameBundleSettings(bundle.settings, port.settings) &&
      members.join('\n') === bundle.members.join('\n');
    if (!isSame) steps.push({ kind: 'set-bundle', bridge: want.name, want: port });
  }
}

const NONE: ReadonlySet<string> = new Set();

/**
 * Names of the interfaces that stay as they are. One that asks for another number than it has does not, nor does who
 * holds that number without having asked for it; if that one asked for it, both stay (ofport_request in ovs-vswitchd.conf.db(5)).
 */
function keptInterfaces(want: WantedBridge, bridge: RunningBridgeView): Set<string> {
  const wanted = new Map(
    want.ports.flatMap((port) => port.interfaces).map((iface) => [iface.name, iface]),
  );
  const kept = new Set<string>();
  const holders = new Map<number, string>();
  for (const [name, view] of bridge.interfaces) {
    const iface = wanted.get(name);
    if (iface === undefined || iface.error !== null || !view.current) continue;
    if (view.identity !== interfaceIdentity(iface)) continue;
    kept.add(name);
    holders.set(view.ofPort, name);
  }
  for (const name of [...kept]) {
    const number = wanted.get(name)?.ofportRequest ?? null;
    if (number === null || bridge.interfaces.get(name)?.ofPort === number) continue;
    const holder = holders.get(number);
    if (holder !== undefined && wanted.get(holder)?.ofportRequest === number) continue;
    kept.delete(name);
    if (holder !== undefined) kept.delete(holder);
  }
  return kept;
}
