/**
 * The arguments of `ofproto/trace`: `{[dp_name] odp_flow | bridge br_flow} [OPTIONS...] [-generate|packet]`. Which of the forms it is
 * shows in whether the flow can be read as a datapath's.
 */
import type { PortNo } from '../../datapath/datapath.ts';
import { OFPP_NONE, OFPP_UNSET, ofPort } from '../../flowtable/of-port.ts';
import type { Bridge } from '../../ofproto/bridge.ts';
import type { BridgePort } from '../../ofproto/bridge-port.ts';
import { MatchFields } from '../../ofproto/codec/match-fields.ts';
import type { WireContext } from '../../ofproto/codec/reader.ts';
import type { Switch } from '../../ofproto/switch.ts';
import { addMatchWord } from '../../ofproto/text/match-syntax.ts';
import { fault, type NameLookup, parsed, words } from '../../ofproto/text/syntax.ts';
import { composeFrame } from '../../packet/compose.ts';
import { keyOf } from '../../packet/extract.ts';
import { parseFlow } from '../../packet/flow-parse.ts';
import {
  ACTSET_OUTPUT,
  CT_STATE,
  DP_WORDS,
  ETH_DST,
  FLOW_WORDS,
  IN_PORT,
  OF_IN_PORT,
  RECIRC_ID,
  SKB_PRIORITY,
  VLAN_CFI,
  VLAN0,
  VLAN1,
} from '../../packet/key.ts';
import { ETH_TYPE_VLAN } from '../../packet/protocol.ts';
import { CommandError } from '../command.ts';
import { type DatapathView, datapathViews } from './dpif-view.ts';

export interface Traced {
  readonly view: DatapathView;
  readonly bridge: Bridge;
  /** Null when the flow names no port of the bridge. */
  readonly inPort: BridgePort | null;
  /** FLOW_WORDS words. */
  readonly flow: Uint32Array;
  readonly frame: Uint8Array | null;
  /** Names of ports instead of numbers. */
  readonly names: boolean;
  /** --consistent: actions must agree with the flow by the rules of OpenFlow 1.1. */
  readonly isConsistent: boolean;
}

interface Options {
  readonly positional: string[];
  readonly generate: boolean;
  readonly names: boolean;
  readonly isConsistent: boolean;
}

const NO_PORT = 0xffffffff;
const ETH_HEADER_BYTES = 14;
const MAX_L7_BYTES = 64_000;
const CT_FLAGS = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat'];

function options(args: readonly string[], mayBeConsistent: boolean): Options {
  const positional: string[] = [];
  let generate = false;
  let names = false;
  let isConsistent = false;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (arg === '-generate' || arg === '--generate') generate = true;
    else if (arg === '--l7' || arg === '--l7-len' || arg === '--ct-next') {
      if (i + 1 >= args.length) throw new CommandError(`Missing argument for option ${arg}`);
      checkOptionValue(arg, args[++i]);
    } else if (mayBeConsistent && /^--?consistent$/.test(arg)) isConsistent = true;
    else if (/^--?names$/.test(arg)) names = true;
    else if (arg.startsWith('-')) throw new CommandError(`${arg}: unknown option`);
    else if (positional.length >= 3) throw new CommandError('too many arguments');
    else positional.push(arg);
  }
  return { positional, generate, names, isConsistent };
}

function checkOptionValue(option: string, value: string): void {
  if (option === '--l7' && bytesOf(value) === null) {
    throw new CommandError('Trailing garbage in packet data');
  }
  if (option === '--l7-len' && Number.parseInt(value, 10) > MAX_L7_BYTES) {
    throw new CommandError(`${value}: too much L7 data`);
  }
  if (option === '--ct-next') checkConnectionState(value);
}

function checkConnectionState(text: string): void {
  const flags = new Set(text.split(/[|,]/).map((flag) => flag.trim()));
  for (const flag of flags) {
    if (!CT_FLAGS.includes(flag)) {
      throw new CommandError(`${flag}: unknown connection tracking state flag`);
    }
  }
  if (!flags.has('trk')) {
    const why = 'If "trk" is unset, no other flags are set';
    throw new CommandError(`${text}: invalid connection state: ${why}`);
  }
}

/** Bytes of hexadecimal digits in pairs, with blanks anywhere between; null for anything else. */
function bytesOf(text: string): Uint8Array | null {
  const pairs = text.trim().split(/\s+/).join('');
  return /^(?:[0-9a-fA-F]{2})*$/.test(pairs) ? Uint8Array.from(Buffer.from(pairs, 'hex')) : null;
}

function frameOf(text: string): { frame: Uint8Array } | { error: string } {
  const frame = bytesOf(text);
  if (frame === null) return { error: 'Trailing garbage in packet data' };
  if (frame.length < ETH_HEADER_BYTES) return { error: 'Packet data too short for Ethernet' };
  return { frame };
}

/** What `ofproto/trace` is asked about. Throws CommandError. */
export function traced(
  args: readonly string[],
  switches: readonly Switch[],
  mayBeConsistent = false,
): Traced {
  const { positional, generate, names, isConsistent } = options(args, mayBeConsistent);
  let frame: Uint8Array | null = null;
  if (!generate && positional.length > 1) {
    const got = frameOf(positional[positional.length - 1]);
    if ('frame' in got) {
      frame = got.frame;
      positional.pop();
    } else if (positional.length > 2) throw new CommandError(got.error);
  }
  if (positional.length < 1 || positional.length > 2) throw new CommandError('Syntax error');
  const text = positional[positional.length - 1];
  const views = datapathViews(switches);
  const named = positional.length === 2 ? positional[0] : null;
  const view = named === null ? onlyOf(views) : viewNamed(views, named);
  const place = placeOf(view, views, named, text);
  if (generate) {
    const composed = composeFrame(place.flow);
    if (!composed.ok) throw new CommandError(composed.error);
    frame = composed.frame;
  } else if (frame !== null) {
    // Headers are the packet's, metadata the flow's.
    const headers = keyOf(frame, place.flow[IN_PORT]);
    place.flow.set(headers.subarray(ETH_DST, CT_STATE), ETH_DST);
  }
  place.flow[ACTSET_OUTPUT] = OFPP_UNSET;
  return { ...place, frame, names, isConsistent };
}

const onlyOf = (views: readonly DatapathView[]): DatapathView | null =>
  views.length === 1 ? views[0] : null;

function viewNamed(views: readonly DatapathView[], name: string): DatapathView | null {
  const type = name.startsWith('ovs-') ? name.slice(4) : name;
  return views.find((view) => view.name === `${type}@ovs-${type}`) ?? null;
}

type Place = Pick<Traced, 'view' | 'bridge' | 'inPort' | 'flow'>;

function placeOf(
  view: DatapathView | null,
  views: readonly DatapathView[],
  named: string | null,
  text: string,
): Place {
  const ports = new Map<string, number>();
  for (const bridge of view?.bridges ?? []) {
    for (const port of bridge.ports()) if (port.portNo !== null) ports.set(port.name, port.portNo);
  }
  // A line of dpif/dump-flows -m begins with the identifier of the flow.
  const bare = text.replace(/^\s*ufid:[0-9a-fA-F-]+,?\s*/, '');
  const parsedFlow = parseFlow(bare, { portNumber: (name) => ports.get(name) });
  if (parsedFlow.ok) {
    if (view === null) throw new CommandError('Cannot find the datapath');
    return fromDatapath(view, parsedFlow.key, parsedFlow.skbPriority);
  }
  if (named === null) {
    throw new CommandError(`${parsedFlow.error} (or the bridge name was omitted)`);
  }
  for (const one of views) {
    const bridge = one.bridges.find((b) => b.name === named);
    if (bridge) return fromBridge(one, bridge, text);
  }
  throw new CommandError(`${named}: unknown bridge`);
}

function fromDatapath(view: DatapathView, key: Uint32Array, skbPriority: number): Place {
  const flow = new Uint32Array(FLOW_WORDS);
  flow.set(key.subarray(0, DP_WORDS));
  flow[SKB_PRIORITY] = skbPriority;
  const state = flow[RECIRC_ID] === 0 ? null : view.switch.thaw(flow[RECIRC_ID]);
  if (flow[RECIRC_ID] !== 0 && state === null) {
    const id = `0x${flow[RECIRC_ID].toString(16)}`;
    throw new CommandError(`no recirculation data for recirc_id ${id}`);
  }
  const port = view.switch.portOf(flow);
  if (port === null && view.switch.isTunnelIn(flow[IN_PORT])) {
    throw new CommandError('no OpenFlow tunnel port for this packet');
  }
  if (port === null) {
    throw new CommandError(`no OpenFlow port for datapath port ${flow[IN_PORT]}`);
  }
  flow[OF_IN_PORT] = port.ofPort;
  return { view, bridge: state?.bridge ?? port.bridge, inPort: port, flow };
}

function fromBridge(view: DatapathView, bridge: Bridge, text: string): Place {
  const names = {
    portByName: (name: string) => bridge.portNamed(name)?.ofPort ?? null,
    tunMetadata: (index: number) => bridge.tlvTable.place(index),
  };
  const read = parsed(() => exactFlow(text, names));
  if (!read.ok) throw new CommandError(`Bad openflow flow syntax: ${read.error}`);
  const flow = read.value;
  if (flow[OF_IN_PORT] === 0) flow[OF_IN_PORT] = OFPP_NONE;
  const inPort = bridge.port(ofPort(flow[OF_IN_PORT]));
  const portNo: PortNo | null = inPort?.portNo ?? null;
  flow[IN_PORT] = portNo ?? NO_PORT;
  return { view, bridge, inPort, flow };
}

/** A flow whose fields are all given, the others being 0. */
function exactFlow(text: string, names: NameLookup & Partial<WireContext>): Uint32Array {
  const match = new MatchFields();
  const seen = new Set<string>();
  for (const { key, value } of words(text)) {
    if (seen.has(key)) fault(`${text}: field ${key} set multiple times`);
    seen.add(key);
    if (value === null && match.ethType !== 0 && key !== 'eth') {
      fault(`${text}: Ethernet type set multiple times`);
    }
    const added = parsed(() => addMatchWord(match, key, value, names));
    if (!added.ok) {
      if (!added.error.startsWith(`${key}: `)) {
        fault(`${text}: bad value for ${key} (${added.error})`);
      }
      fault(`${text}: ${added.error.replace(`${key}: `, '')}`);
    }
    if (!added.value) fault(`${text}: unknown field ${key}`);
  }
  const flow = new Uint32Array(FLOW_WORDS);
  const built = match.build();
  for (let i = 0; i < built.words.length; i++) flow[built.words[i]] = built.values[i];
  for (const word of [VLAN0, VLAN1]) {
    if ((flow[word] & VLAN_CFI) !== 0 && flow[word] >>> 16 === 0) {
      flow[word] = (flow[word] | (ETH_TYPE_VLAN << 16)) >>> 0;
    }
  }
  return flow;
}
