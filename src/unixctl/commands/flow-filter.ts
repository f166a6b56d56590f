/**
 * `filter=` of dpctl/dump-flows: which megaflows may take frames of the flow that is given in the syntax of ovs-ofctl. What a megaflow does
 * not match counts as equal. Ports are those of the datapath.
 */
import { MatchFields } from '../../ofproto/codec/match-fields.ts';
import { addMatchWord } from '../../ofproto/text/match-syntax.ts';
import { fault, parsed, words } from '../../ofproto/text/syntax.ts';
import type { Ukey } from '../../ofproto/ukey.ts';
import { DP_WORDS, IN_PORT, OF_IN_PORT } from '../../packet/key.ts';
import { CommandError } from '../command.ts';
import type { DatapathView } from './dpif-view.ts';

/** Throws CommandError for what is no flow. */
export function flowFilter(view: DatapathView, text: string): (ukey: Ukey) => boolean {
  const ports = new Map<string, number>();
  for (const bridge of view.bridges) {
    for (const port of bridge.ports()) if (port.portNo !== null) ports.set(port.name, port.portNo);
  }
  const match = new MatchFields();
  const read = parsed(() => {
    for (const { key, value } of words(text)) {
      const portByName = (name: string) => (ports.get(name) ?? null) as never;
      if (!addMatchWord(match, key, value, { portByName })) fault(`unknown field ${key}`);
    }
    return match.build();
  });
  if (!read.ok) {
    throw new CommandError(`ovs-vswitchd: Failed to parse filter (${read.error})`);
  }
  const wanted = read.value;
  return ({ match: own }) =>
    wanted.words.every((word, i) => {
      const place = own.words.indexOf(word === OF_IN_PORT ? IN_PORT : word);
      if (place < 0 || (word >= DP_WORDS && word !== OF_IN_PORT)) return true;
      const differing = (own.values[place] ^ wanted.values[i]) & wanted.masks[i];
      return (differing & own.masks[place]) === 0;
    });
}
