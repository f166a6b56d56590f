/** `qos/*`: which queueing disciplines an interface can have, and which it has, with what its queues sent. */
import type { QosReport } from '../../config/port-queues.ts';
import { type Command, CommandError } from '../command.ts';

/** `report`: of an interface by name, null when it does not run. */
export function qosCommands(report: (name: string) => QosReport | null): Command[] {
  const find = (name: string): QosReport => {
    const found = report(name);
    if (found === null) throw new CommandError('no such interface');
    return found;
  };
  const one = { usage: 'interface', minArgs: 1, maxArgs: 1 };
  return [
    { ...one, name: 'qos/show', run: ([name]) => show(name, find(name)) },
    {
      ...one,
      name: 'qos/show-types',
      run: ([name]) => {
        const { types } = find(name);
        if (types.length === 0) return `No QoS types supported for interface: ${name}\n`;
        return types.map((type) => `QoS type: ${type}\n`).join('');
      },
    },
  ];
}

function show(name: string, { qos, queueStats }: QosReport): string {
  if (qos === null) return `QoS not configured on ${name}\n`;
  const lines = [`QoS: ${name} ${qos.type}`];
  for (const [key, value] of qos.details) lines.push(`${key}: ${value}`);
  for (const { id, details } of qos.queues) {
    lines.push('', id === 0 ? 'Default:' : `Queue ${id}:`);
    for (const [key, value] of details) lines.push(`  ${key}: ${value}`);
    const stats = queueStats(id);
    if (stats === null) continue;
    lines.push(`  tx_packets: ${stats.txPackets}`);
    lines.push(`  tx_bytes: ${stats.txBytes}`);
    lines.push(`  tx_errors: ${stats.txErrors}`);
  }
  return `${lines.join('\n')}\n`;
}
