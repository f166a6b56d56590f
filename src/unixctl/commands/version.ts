/** `version`: the line that scripts compare with the one of ovs-vsctl. */
import { VERSION_LINE } from '../../util/version.ts';
import type { Command } from '../command.ts';

export function versionCommands(): Command[] {
  return [{ name: 'version', usage: '', minArgs: 0, maxArgs: 0, run: () => VERSION_LINE }];
}
