/** Modifications as one transaction: opened, filled and committed as an atomic, ordered bundle (OpenFlow 1.4.1, 7.3.9). */
import type { Message } from '../../ofproto/codec/messages.ts';
import type { WireContext } from '../../ofproto/codec/reader.ts';
import { OF13 } from '../../ofproto/codec/versions.ts';
import type { Shell } from './command.ts';
import { optionsFor } from './dump.ts';
import { messageText } from './message-text.ts';
import { fail } from './ofctl-error.ts';
import type { Received, Session } from './session.ts';

const ATOMIC_ORDERED = 3;
const BUNDLE = 0;
const NO_BYTES = new Uint8Array(0);

export interface Bundled {
  readonly message: Message;
  readonly settings?: Partial<WireContext>;
}

/** Throws OfctlError when the switch refused any of it, and then it did none of it. */
export async function executeBundle(
  shell: Shell,
  session: Session,
  messages: readonly Bundled[],
): Promise<undefined> {
  if (session.version < OF13) fail("bundles need OpenFlow 1.4 or later ('-O OpenFlow14')");
  const sent = new Map<number, Uint8Array>();
  const control = async (type: 'openRequest' | 'commitRequest'): Promise<readonly Received[]> => {
    const xid = session.nextXid();
    const bytes = session.encode(
      {
        kind: 'bundleControl',
        bundleId: BUNDLE,
        type,
        flags: ATOMIC_ORDERED,
        properties: NO_BYTES,
      },
      xid,
    );
    sent.set(xid, bytes);
    session.sendBytes(bytes);
    return session.barrier();
  };
  const errors = [...(await control('openRequest'))];
  for (const { message, settings } of messages) {
    const xid = session.nextXid();
    const bundled = session.encode(message, xid, settings);
    sent.set(xid, bundled);
    session.send(
      { kind: 'bundleAdd', bundleId: BUNDLE, flags: ATOMIC_ORDERED, bundled, properties: NO_BYTES },
      xid,
    );
  }
  errors.push(...(await control('commitRequest')));
  if (errors.length === 0) return;
  for (const error of errors) shell.complain(errorText(session, error, sent));
  fail(`talking to ${session.target.name} (Protocol error)`);
}

function errorText(
  session: Session,
  { bytes, decoded }: Received,
  sent: ReadonlyMap<number, Uint8Array>,
): string {
  const options = optionsFor(session, {});
  const about = sent.get(decoded.xid);
  if (about === undefined || !decoded.ok || decoded.message.kind !== 'error') {
    return messageText(bytes, options);
  }
  return `Error ${decoded.message.error ?? 'unknown'} for: ${messageText(about, options)}`;
}
