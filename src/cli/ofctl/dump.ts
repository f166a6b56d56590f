/** Commands that send one request and print what comes, part by part. */
import type { Message } from '../../ofproto/codec/messages.ts';
import type { Shell } from './command.ts';
import type { FlowTextOptions } from './flow-text.ts';
import { messageText } from './message-text.ts';
import { fail } from './ofctl-error.ts';
import type { Received, Session } from './session.ts';

export const optionsFor = (session: Session, names: FlowTextOptions) => ({
  names: {
    ...(names.portName === undefined ? {} : { portName: names.portName }),
    ...(names.tableName === undefined ? {} : { tableName: names.tableName }),
    ...(session.context.tunMetadata === undefined
      ? {}
      : { tunMetadata: session.context.tunMetadata }),
  },
  context: session.context,
});

/** Prints the replies; an error is a reply, too, as in the original. */
export async function dump(
  shell: Shell,
  session: Session,
  request: Message,
  names: FlowTextOptions = {},
): Promise<void> {
  for (const { bytes } of await session.request(request)) {
    shell.print(messageText(bytes, optionsFor(session, names)));
  }
}

/** What a request's replies hold; an error is printed, and ends the command. */
export async function ask(
  shell: Shell,
  session: Session,
  request: Message,
): Promise<readonly Message[]> {
  const parts = await session.request(request);
  return parts.map((part) => {
    const { decoded } = part;
    if (decoded.ok && decoded.message.kind !== 'error') return decoded.message;
    return refused(shell, session, part);
  });
}

/** The same for a request that may need several messages. */
export async function askParts(
  shell: Shell,
  session: Session,
  request: Message & { readonly entries: readonly unknown[] },
): Promise<void> {
  const [first] = await session.requestParts(request);
  if (!first.decoded.ok || first.decoded.message.kind === 'error') refused(shell, session, first);
}

/** Sends modifications one after the other, each done before the next; ends at the first that is refused. */
export async function modify(
  shell: Shell,
  session: Session,
  messages: readonly (() => void)[],
): Promise<void> {
  for (const send of messages) {
    send();
    const [error] = await session.barrier();
    if (error !== undefined) refused(shell, session, error);
  }
}

/** Shows the error; the command's status is 1 without further words. */
export class Refused extends Error {}

function refused(shell: Shell, session: Session, part: Received): never {
  shell.complain(messageText(part.bytes, optionsFor(session, {})));
  throw new Refused();
}

/** Options of tunnels as the switch maps them to fields, so that flows with tun_metadata can be read and written. */
export async function learnTunnelOptions(session: Session): Promise<void> {
  const [reply] = await session.request({ kind: 'tlvTableRequest' });
  if (!reply.decoded.ok || reply.decoded.message.kind !== 'tlvTableReply') return;
  const places = new Map<number, { offset: number; length: number }>();
  let offset = 0;
  for (const { index, optionLength } of reply.decoded.message.maps) {
    places.set(index, { offset, length: optionLength });
    offset += optionLength;
  }
  session.set({ tunMetadata: (index) => places.get(index) ?? null });
}

export const number = (text: string, what: string): number =>
  /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : fail(`invalid ${what} "${text}"`);
