/** `version`: the line that scripts compare with the one of ovs-vsctl. */
import { versionLine } from '../../util/version.ts';
import type { Command } from '../command.ts';

export function versionCommands(program: string): Command[] {
  return [{ name: 'version', usage: '', minArgs: 0, maxArgs: 0, run: () => versionLine(program) }];
}
