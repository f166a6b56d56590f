/**
 * Carrying a bundle out: each message begins in order, as part of one change, which becomes final or is taken back from the last step to the
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
import { BUNDLE_ATOMIC, type BundledMessage, type TakenBundle } from './bundles.ts';
import type { Request } from './handlers.ts';

const BUNDLABLE = ['flowMod', 'groupMod', 'portMod', 'packetOut'] as const;

export const isBundlable = (message: Message): boolean =>
  (BUNDLABLE as readonly string[]).includes(message.kind);

export function commitBundle(
  { messages, heads }: TakenBundle,
  flags: number,
  request: Request,
): OfErrorName | null {
  const change = new Change(request.of.bridge, null);
  for (let i = 0; i < messages.length; i++) {
    const error = begin(change, messages[i], flags, request);
    if (error === null) continue;
    change.revert();
    request.connection.error(error.error as OfErrorName, heads.at(i));
    return 'OFPBFC_MSG_FAILED';
  }
  change.commit();
  return null;
}

function begin(
  change: Change,
  { message, xid }: BundledMessage,
  flags: number,
  { of, connection }: Request,
): OfError | null {
  const { bridge } = of;
  change.origin = { connection, xid };
  switch (message.kind) {
    case 'flowMod': {
      const error = beginFlowMod(change, message.flowMod);
      if (error !== null) return error;
      change.onCommit(() => connection.flowMods.count(message.flowMod.command));
      return null;
    }
    case 'groupMod': {
      const error = beginGroupMod(change, message.groupMod);
      if (error !== null) return error;
      change.onCommit(() => of.forwardRequest(connection, message, xid));
      return null;
    }
    case 'portMod': {
      // A change of a device cannot be taken back without anybody seeing it.
      if ((flags & BUNDLE_ATOMIC) !== 0) return { error: 'OFPBFC_MSG_FAILED' };
      const port = bridge.port(message.port);
      if (port === null) return { error: 'OFPPMFC_BAD_PORT' };
      if (port.hwAddr !== message.hwAddr) return { error: 'OFPPMFC_BAD_HW_ADDR' };
      change.onCommit(() => of.portMod(connection, message));
      return null;
    }
    case 'packetOut': {
      const begun = beginPacketOut(of.switch, bridge, message.packetOut, connection.version);
      if ('error' in begun) return begun;
      change.onCommit(() => begun.send());
      return null;
    }
    default:
      return { error: 'OFPBFC_MSG_UNSUP' };
  }
}
