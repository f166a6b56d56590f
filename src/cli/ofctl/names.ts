/**
 * Names of a switch's ports, by which flows may name them (ovs-ofctl(8), --names). Two ports of one name, which a cut to 15 bytes can
 * cause, have none.
 */
import type { OfPort } from '../../flowtable/of-port.ts';
import type { PortDescription } from '../../ofproto/model.ts';
import type { NameOptions } from '../../ofproto/text/field-text.ts';
import { type NameLookup, portOf } from '../../ofproto/text/syntax.ts';
import { fail } from './ofctl-error.ts';
import type { Session } from './session.ts';

export class PortNames implements NameLookup, NameOptions {
  private readonly numbers = new Map<string, OfPort | null>();
  private readonly names = new Map<OfPort, string>();

  constructor(ports: readonly PortDescription[]) {
    for (const { port, name } of ports) {
      this.numbers.set(name, this.numbers.has(name) ? null : port);
      this.names.set(port, name);
    }
  }

  readonly portByName = (name: string): OfPort | null => this.numbers.get(name) ?? null;

  readonly portName = (port: OfPort): string | null => {
    const name = this.names.get(port);
    return name === undefined || this.numbers.get(name) !== port ? null : name;
  };
}

export const NO_NAMES = new PortNames([]);

export async function describePorts(session: Session): Promise<readonly PortDescription[]> {
  const parts = await session.request({ kind: 'portDescRequest', port: null });
  return parts.flatMap(({ decoded }) =>
    decoded.ok && decoded.message.kind === 'portDescReply' ? decoded.message.entries : [],
  );
}

export const portNames = async (session: Session): Promise<PortNames> =>
  new PortNames(await describePorts(session));

/** A port that a command names; `target` for the message when there is none. */
export const namedPort = (text: string, names: PortNames, target: string): OfPort =>
  portOf(text, names) ?? fail(`${target}: unknown port \`${text}'`);
