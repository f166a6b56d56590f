/**
 * `qos/*`: which queueing disciplines an interface can have, and which it has. This switch configures none yet, and says so
 * as Open vSwitch says it of devices that cannot be shaped.
 */
import { type Command, CommandError } from '../command.ts';

/** `exists`: an interface of this name runs. */
export function qosCommands(exists: (name: string) => boolean): Command[] {
  const about = (name: string, text: string) => {
    if (!exists(name)) throw new CommandError('no such interface');
    return `${text}${name}\n`;
  };
  const one = { usage: 'interface', minArgs: 1, maxArgs: 1 };
  return [
    { ...one, name: 'qos/show', run: ([name]) => about(name, 'QoS not configured on ') },
    {
      ...one,
      name: 'qos/show-types',
      run: ([name]) => about(name, 'No QoS types supported for interface: '),
    },
  ];
}
