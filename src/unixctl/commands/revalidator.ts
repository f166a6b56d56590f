/** `revalidator/*` and `upcall/*`: the care of megaflows. */
import type { Switch } from '../../ofproto/switch.ts';
import type { Command } from '../command.ts';
import { datapathViews } from './dpif-view.ts';

export function revalidatorCommands(switches: () => readonly Switch[]): Command[] {
  return [
    {
      name: 'revalidator/wait',
      usage: '',
      minArgs: 0,
      maxArgs: 0,
      run: async () => {
        for (const one of switches()) await one.revalidateAll();
        return '';
      },
    },
    {
      name: 'revalidator/purge',
      usage: '',
      minArgs: 0,
      maxArgs: 0,
      run: async () => {
        for (const one of switches()) await one.revalidator.purge();
        return '';
      },
    },
    ...[true, false].map(
      (resumes): Command => ({
        name: resumes ? 'revalidator/resume' : 'revalidator/pause',
        usage: '',
        isHidden: true,
        minArgs: 0,
        maxArgs: 0,
        run: () => {
          for (const { revalidator } of switches()) {
            if (resumes) revalidator.resume();
            else revalidator.pause();
          }
          return '';
        },
      }),
    ),
    ...[true, false].map(
      (enable): Command => ({
        name: `upcall/${enable ? 'enable' : 'disable'}-megaflows`,
        usage: '',
        minArgs: 0,
        maxArgs: 0,
        run: async () => {
          for (const { revalidator } of switches()) {
            revalidator.wildcards = enable;
            await revalidator.purge();
          }
          return `megaflows ${enable ? 'enabled' : 'disabled'}`;
        },
      }),
    ),
    ...[true, false].map(
      (enable): Command => ({
        name: `upcall/${enable ? 'enable' : 'disable'}-ufid`,
        usage: '',
        minArgs: 0,
        maxArgs: 0,
        run: () => {
          for (const { revalidator } of switches()) revalidator.dumpsByUfid = enable;
          return enable
            ? 'Datapath dumping tersely using UFID enabled for supported datapaths'
            : 'Datapath dumping tersely using UFID disabled';
        },
      }),
    ),
    {
      name: 'upcall/set-flow-limit',
      usage: 'flow-limit-number',
      minArgs: 1,
      maxArgs: 1,
      run: ([text]) => {
        const limit = Number.parseInt(text, 10) >>> 0;
        for (const { revalidator } of switches()) revalidator.flowLimit = limit;
        return `set flow_limit to ${limit}`;
      },
    },
    {
      name: 'upcall/show',
      usage: '',
      minArgs: 0,
      maxArgs: 0,
      run: () => {
        let out = '';
        for (const view of datapathViews(switches())) {
          const { revalidator: r, cache } = view.switch;
          const current = view.switch.datapath.lookupStats().flows;
          out += `${view.name}:\n`;
          out += `  flows         : (current ${current}) (avg ${r.averageFlowCount}) (max ${r.maxFlowCount}) (limit ${r.flowLimit})\n`;
          out += `  dump duration : ${r.dumpDurationMs}ms\n  ufid enabled : ${r.dumpsByUfid}\n\n`;
          out += `  0: (keys ${cache.size})\n`;
        }
        return out;
      },
    },
  ];
}
