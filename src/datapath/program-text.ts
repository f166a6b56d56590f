/**
 * The text of an action program as Open vSwitch writes datapath actions: `push_vlan(vid=10,pcp=0),2`.
 *
 * SET names key words; neighbouring ones are gathered into one set(...) per header, as the original has it.
 */
import { formatFlowParts, vlanFields } from '../packet/flow-text.ts';
import { DP_WORDS, PKT_MARK, VLAN0, VLAN1 } from '../packet/key.ts';
import { ETH_TYPE_VLAN } from '../packet/protocol.ts';
import { Op } from './program.ts';

export interface ProgramTextOptions {
  /** Name of a datapath port, for `--names`; numbers are written without it. */
  portName?: (port: number) => string | undefined;
  /** What stands after "pid=0," for a USERSPACE action: controller(...), slow_path(...). */
  userspace?: (reason: number, cookieHigh: number, cookieLow: number) => string;
}

/** `key` (DP_WORDS words) of a frame that the program is for: SET of a word means ipv4() or ipv6() by its type. */
export function formatProgram(
  program: ArrayLike<number>,
  key: ArrayLike<number>,
  options: ProgramTextOptions = {},
): string {
  const parts = steps(program, 0, program.length, key, options);
  return parts.length === 0 ? 'drop' : parts.join(',');
}

function steps(
  program: ArrayLike<number>,
  from: number,
  end: number,
  key: ArrayLike<number>,
  options: ProgramTextOptions,
): string[] {
  const parts: string[] = [];
  let at = from;
  while (at < end) {
    const words = program[at] >>> 8;
    if (words === 0) break;
    const a = program[at + 1];
    switch (program[at] & 255) {
      case Op.OUTPUT:
        parts.push(options.portName?.(a) ?? String(a));
        break;
      case Op.PUSH_VLAN: {
        const tpid = a >>> 16 === ETH_TYPE_VLAN ? '' : `tpid=0x${(a >>> 16).toString(16)},`;
        parts.push(`push_vlan(${tpid}${pushFields(a & 0xffff)})`);
        break;
      }
      case Op.POP_VLAN:
        parts.push('pop_vlan');
        break;
      case Op.SET: {
        const next = setsUntil(program, at, end);
        parts.push(...sets(program, at, next, key));
        at = next;
        continue;
      }
      case Op.USERSPACE: {
        const high = program[at + 2];
        const low = program[at + 3];
        const text =
          options.userspace?.(a, high, low) ??
          `userdata(${[a, high, low].map((w) => (w >>> 0).toString(16).padStart(8, '0')).join('')})`;
        parts.push(`userspace(pid=0,${text})`);
        break;
      }
      case Op.TRUNC:
        parts.push(`trunc(${a})`);
        break;
      case Op.RECIRC:
        parts.push(`recirc(${a === 0 ? '0' : `0x${(a >>> 0).toString(16)}`})`);
        break;
      case Op.CLONE:
        parts.push(
          `clone(${steps(program, at + 1, at + words, key, options).join(',') || 'drop'})`,
        );
        break;
      // DROP: a program that does nothing is written "drop", and one that does something has no need of it.
    }
    at += words;
  }
  return parts;
}

/** push_vlan always writes both numbers. */
const pushFields = (tci: number): string =>
  `vid=${tci & 0xfff},pcp=${(tci >>> 13) & 7}${tci & 0x1000 ? '' : ',cfi=0'}`;

function setsUntil(program: ArrayLike<number>, from: number, end: number): number {
  let at = from;
  while (at < end && (program[at] & 255) === Op.SET) at += program[at] >>> 8;
  return at;
}

function sets(
  program: ArrayLike<number>,
  from: number,
  end: number,
  key: ArrayLike<number>,
): string[] {
  const values = Uint32Array.from(key).subarray(0, DP_WORDS);
  const masks = new Uint32Array(DP_WORDS);
  const written: number[] = [];
  for (let at = from; at < end; at += program[at] >>> 8) {
    const word = program[at + 1];
    const mask = program[at + 3];
    // What an earlier SET of this run wrote stays where this one does not write.
    const before = masks[word] === 0 ? 0 : values[word];
    values[word] = (before & ~mask) | (program[at + 2] & mask);
    masks[word] |= mask;
    if (!written.includes(word)) written.push(word);
  }
  const parts: string[] = [];
  for (const word of [VLAN0, VLAN1]) {
    if (masks[word] === 0) continue;
    parts.push(`set(vlan(${vlanFields(values[word] | 0x1000, masks[word])}))`);
  }
  values[VLAN0] = values[VLAN1] = 0;
  const mark = masks[PKT_MARK];
  masks[PKT_MARK] = 0;
  // formatFlow writes only what the masks cover.
  for (const part of formatFlowParts(values, masks)) parts.push(`set(${part})`);
  if (mark !== 0) {
    masks.fill(0);
    masks[PKT_MARK] = mark;
    for (const part of formatFlowParts(values, masks)) parts.push(`set(${part})`);
  }
  return parts;
}
