/**
 * Carrying a bundle out: each message begins in order, and either all become final or what was begun is taken back, from the last to the
 * first. Nothing else happens in between, so that a bundle is atomic and ordered whatever its flags say.
 *
 * The message that failed is told by its own error, the bundle by OFPBFC_MSG_FAILED (OpenFlow 1.4.1, 7.3.9.4).
 */
import type { OfErrorName } from '../codec/errors.ts';
import type { Message } from '../codec/messages.ts';
import type { OfError } from '../model.ts';
import { beginPacketOut } from '../packet-out.ts';
import { Change } from '../tables/change.ts';
import { beginFlowMod } from '../tables/flow-mods.ts';
import { beginGroupMod } from '../tables/groups.ts';
import { BUNDLE_ATOMIC, type BundledMessage } from './bundles.ts';
import type { Request } from './handlers.ts';

const BUNDLABLE = ['flowMod', 'groupMod', 'portMod', 'packetOut'] as const;

export const isBundlable = (message: Message): boolean =>
  (BUNDLABLE as readonly string[]).includes(message.kind);

interface Begun {
  commit(): void;
  revert(): void;
}

export function commitBundle(
  messages: readonly BundledMessage[],
  flags: number,
  request: Request,
): OfErrorName | null {
  const begun: Begun[] = [];
  for (const bundled of messages) {
    const step = begin(bundled, flags, request);
    if ('error' in step) {
      for (const one of begun.reverse()) one.revert();
      request.connection.error(step.error as OfErrorName, bundled.bytes);
      return 'OFPBFC_MSG_FAILED';
    }
    begun.push(step);
  }
  for (const one of begun) one.commit();
  return null;
}

function begin(
  { message, xid }: BundledMessage,
  flags: number,
  { of, connection }: Request,
): Begun | OfError {
  const { bridge } = of;
  const { version } = connection;
  switch (message.kind) {
    case 'flowMod':
    case 'groupMod': {
      const change = new Change(bridge, { connection, xid });
      const error =
        message.kind === 'flowMod'
          ? beginFlowMod(change, message.flowMod)
          : beginGroupMod(change, message.groupMod);
      if (error !== null) {
        change.revert();
        return error;
      }
      change.onCommit(() => {
        if (message.kind === 'groupMod') of.forwardRequest(connection, message, xid);
        else connection.flowMods.count(message.flowMod.command);
      });
      return change;
    }
    case 'portMod': {
      // A change of a device cannot be taken back without anybody seeing it.
      if ((flags & BUNDLE_ATOMIC) !== 0) return { error: 'OFPBFC_MSG_FAILED' };
      const port = bridge.port(message.port);
      if (port === null) return { error: 'OFPPMFC_BAD_PORT' };
      if (port.hwAddr !== message.hwAddr) return { error: 'OFPPMFC_BAD_HW_ADDR' };
      return { commit: () => void of.portMod(connection, message), revert: () => {} };
    }
    case 'packetOut': {
      const begun = beginPacketOut(of.switch, bridge, message.packetOut, version);
      if ('error' in begun) return begun;
      return { commit: () => begun.send(), revert: () => {} };
    }
    default:
      return { error: 'OFPBFC_MSG_UNSUP' };
  }
}
