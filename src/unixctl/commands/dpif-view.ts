/**
 * What the commands about datapaths have in common: the datapaths that users see (one per datapath_type in
 * use, whoever carries it out) and the text of one megaflow.
 */
import { formatProgram } from '../../datapath/program-text.ts';
import type { Bridge } from '../../ofproto/bridge.ts';
import type { Switch } from '../../ofproto/switch.ts';
import type { Ukey } from '../../ofproto/ukey.ts';
import { formatFlow } from '../../packet/flow-text.ts';
import { DP_WORDS, FLOW_WORDS } from '../../packet/key.ts';

export interface DumpOptions {
  /** -m: identifiers as well, and fields that nothing consulted. */
  readonly verbose: boolean;
  /** Prints ports by name instead of by number. */
  readonly names: boolean;
}

export interface DatapathView {
  /** `netdev@ovs-netdev` */
  readonly name: string;
  readonly switch: Switch;
  /** Sorted by name. */
  readonly bridges: readonly Bridge[];
}

/** Datapaths with at least one bridge, by name. */
export function datapathViews(switches: readonly Switch[]): DatapathView[] {
  const views = new Map<string, { name: string; switch: Switch; bridges: Bridge[] }>();
  for (const one of switches) {
    for (const bridge of one.bridges()) {
      const name = `${bridge.datapathType}@ovs-${bridge.datapathType}`;
      const view = views.get(name);
      if (view) view.bridges.push(bridge);
      else views.set(name, { name, switch: one, bridges: [bridge] });
    }
  }
  const compare = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
  for (const view of views.values()) view.bridges.sort(compare);
  return [...views.values()].sort(compare);
}

/** Megaflows that came in on a port of one of the bridges, in the order of their installation. */
export function ukeysOf(view: DatapathView, bridges: readonly Bridge[]): Ukey[] {
  const found: Ukey[] = [];
  const key = new Uint32Array(FLOW_WORDS);
  for (const ukey of view.switch.cache.all()) {
    ukey.fill(key);
    const port = view.switch.portOf(key);
    if (port && bridges.includes(port.bridge)) found.push(ukey);
  }
  return found;
}

/** `KEY, packets:0, bytes:0, used:never, ...actions:...`: a line of a dump without its line end. */
export function ukeyText(
  view: DatapathView,
  ukey: Ukey,
  options: DumpOptions,
  form: 'dpif' | 'dpctl',
): string {
  const key = new Uint32Array(FLOW_WORDS);
  ukey.fill(key);
  const mask = new Uint32Array(DP_WORDS);
  const { words, masks } = ukey.mask;
  for (let i = 0; i < words.length; i++) mask[words[i]] = masks[i];
  const stats = view.switch.cache.stats(ukey);
  const [packets, bytes, usedMs, flags] = ukey.settled
    ? [stats.packets, stats.bytes, stats.usedMs, stats.tcpFlags]
    : [0, 0, 0, 0];
  const used =
    packets > 0 ? `${(Math.max(0, view.switch.clock.now() - usedMs) / 1000).toFixed(3)}s` : 'never';
  const ufid = options.verbose ? `ufid:${ukey.ufid}${form === 'dpctl' ? ',' : ''} ` : '';
  const names = options.names ? { portName: namesOf(view) } : {};
  const text = { ...names, verbose: options.verbose };
  const parts = [
    `${ufid}${formatFlow(key, mask, text)}`,
    `packets:${packets}`,
    `bytes:${bytes}`,
    `used:${used}`,
  ];
  if (flags !== 0) parts.push(`flags:${tcpFlagsText(flags)}`);
  if (options.verbose && form === 'dpctl') parts.push('dp:ovs');
  parts.push(`actions:${formatProgram(ukey.program, key, text)}`);
  return parts.join(', ');
}

/** FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, NS by one character each. */
function tcpFlagsText(flags: number): string {
  let text = '';
  for (let bit = 0; bit < 9; bit++) if ((flags >>> bit) & 1) text += 'FSRP.UECN'[bit];
  return text;
}

const namesOf =
  (view: DatapathView): ((portNo: number) => string) =>
  (portNo) =>
    view.switch.portName(portNo) ?? String(portNo);

/** Splits the options of a dump from the rest: -m, --more, --names, --no-names. */
export function dumpOptions(args: string[]): DumpOptions & { rest: string[] } {
  let verbose = false;
  let names: boolean | null = null;
  const rest: string[] = [];
  for (const arg of args) {
    if (arg === '-m' || arg === '--more') verbose = true;
    else if (arg === '--names') names = true;
    else if (arg === '--no-names') names = false;
    else rest.push(arg);
  }
  return { verbose, names: names ?? verbose, rest };
}
