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
          out += `  dump duration : ${r.dumpDurationMs}ms\n  ufid enabled : true\n\n`;
          out += `  0: (keys ${cache.size})\n`;
        }
        return out;
      },
    },
  ];
}
