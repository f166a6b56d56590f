/** A bridge with ports 1 to 3 in memory that takes OpenFlow 1.3 messages and frames as bytes. */
import { expect } from 'vitest';
import { decodeMessage } from '../../src/ofproto/codec/messages.ts';
import { applyFlowMod } from '../../src/ofproto/tables/flow-mods.ts';
import { applyGroupMod } from '../../src/ofproto/tables/groups.ts';
import { Lab } from './lab.ts';
import { hexOf } from './openflow13.ts';

export const VERSION = 4;

export class Target {
  readonly lab = new Lab();
  readonly bridge = this.lab.bridge('br0');

  static async of(...messages: Uint8Array[]): Promise<Target> {
    const target = new Target();
    target.bridge.configure({ failMode: 'secure' });
    for (const number of [1, 2, 3]) await target.lab.port(target.bridge, `p${number}`, number);
    for (const message of messages) expect(target.tell(message)).toBeNull();
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
