/** `memory/show`: how many of everything the daemon holds. */
import type { Command } from '../command.ts';

/** `usage` gives counts by Open vSwitch's names (`ports`, `rules`, `udpif keys`, ...); zeros are not shown. */
export function memoryCommands(usage: () => Readonly<Record<string, number>>): Command[] {
  const show = (): string =>
    Object.entries(usage())
      .filter(([, count]) => count > 0)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => `${name}:${count}`)
      .join(' ');
  return [{ name: 'memory/show', usage: '', minArgs: 0, maxArgs: 0, run: show }];
}
