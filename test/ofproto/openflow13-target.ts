/** A bridge with ports 1 to 3 in memory that takes OpenFlow 1.3 messages and frames as bytes. */
import { expect } from 'vitest';
import { decodeMessage } from '../../src/ofproto/codec/messages.ts';
import { applyFlowMod } from '../../src/ofproto/tables/flow-mods.ts';
import { applyGroupMod } from '../../src/ofproto/tables/groups.ts';
import { Lab } from './lab.ts';
import { hexOf } from './openflow13.ts';

export const VERSION = 4;

const DELETE_GROUPS = Uint8Array.from(Buffer.from('040f00100000000100020000fffffffc', 'hex'));

export class Target {
  readonly lab = new Lab();
  readonly bridge = this.lab.bridge('br0');

  private static only: Target | null = null;

  /** Always the same one, which forgets what it was told before: the memory of a switch takes long to make. */
  static async of(...messages: Uint8Array[]): Promise<Target> {
    Target.only ??= await Target.make();
    const target = Target.only;
    const { bridge, lab } = target;
    bridge.flushFlows();
    expect(target.tell(DELETE_GROUPS)).toBeNull();
    for (const port of bridge.ports()) bridge.setPortState(port.ofPort, true);
    lab.switch.vlanLimit = 1;
    await lab.switch.revalidateAll();
    await lab.switch.revalidator.purge();
    expect(lab.flows()).toEqual([]);
    for (const message of messages) expect(target.tell(message)).toBeNull();
    return target;
  }

  private static async make(): Promise<Target> {
    const target = new Target();
    target.bridge.configure({ failMode: 'secure' });
    for (const number of [1, 2, 3]) await target.lab.port(target.bridge, `p${number}`, number);
    return target;
  }

  /** Error of a message; null when it was carried out. */
  tell(bytes: Uint8Array): string | null {
    const got = decodeMessage(bytes, { version: VERSION });
    if (!got.ok) return got.error;
    const { message } = got;
    if (message.kind === 'flowMod')
      return applyFlowMod(this.bridge, message.flowMod)?.error ?? null;
    if (message.kind !== 'groupMod') return message.kind;
    return applyGroupMod(this.bridge, message.groupMod)?.error ?? null;
  }

  /** `port hex` of each frame that leaves. */
  send(bytes: Uint8Array, port = 1): string[] {
    this.lab.deliver(port, bytes);
    return this.lab.sent.map((sent) => `${sent.port} ${hexOf(sent.frame)}`);
  }
}

export const out2 = (bytes: Uint8Array): string[] => [`2 ${hexOf(bytes)}`];
