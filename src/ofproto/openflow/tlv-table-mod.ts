/**
 * Modification of the table that makes options of Geneve fields (NXT_TLV_TABLE_MOD). A field that a flow matches on or that its actions
 * name cannot be taken away, as in Open vSwitch: the flow names a place that another field would get.
 */
import { wordOf } from '../../flowtable/match.ts';
import { tunMetadataIndex } from '../../packet/fields.ts';
import { presentBit, presentWord, TLV_FIELDS } from '../../packet/tlv-table.ts';
import type { Bridge } from '../bridge.ts';
import type { OfErrorName } from '../codec/errors.ts';
import type { MessageOf } from '../codec/messages.ts';

export function tlvTableMod(
  bridge: Bridge,
  { command, maps }: MessageOf<'tlvTableMod'>,
): OfErrorName | null {
  const before = bridge.tlvTable;
  const goes =
    command === 'add' ? [] : (command === 'clear' ? before.maps() : maps).map((map) => map.index);
  if (goes.length > 0) {
    const used = usedFields(bridge);
    if (goes.some((index) => used.has(index))) return 'NXTTMFC_INVALID_TLV_DEL';
  }
  const after =
    command === 'add' ? before.with(maps, () => usedFields(bridge)) : before.without(goes);
  if (typeof after === 'string') return after;
  bridge.tlvTable = after;
  bridge.tablesChanged();
  return null;
}

/** Numbers of the tun_metadata fields that flows use. */
function usedFields(bridge: Bridge): Set<number> {
  const used = new Set<number>();
  for (const table of bridge.tables) {
    for (const { match, actions } of table.size > 0 ? table.entries() : []) {
      for (let index = 0; index < TLV_FIELDS; index++) {
        if ((wordOf(match, presentWord(index)).mask & presentBit(index)) !== 0) used.add(index);
      }
      addFields(actions, used);
    }
  }
  return used;
}

/** Fields stand at many places of actions, within others too: whatever has the name of one is one. */
function addFields(part: unknown, into: Set<number>): void {
  if (part === null || typeof part !== 'object' || ArrayBuffer.isView(part)) return;
  if ('prerequisite' in part && 'name' in part) {
    const index = tunMetadataIndex(part as Parameters<typeof tunMetadataIndex>[0]);
    if (index !== undefined) into.add(index);
    return;
  }
  for (const inner of Object.values(part)) addFields(inner, into);
}
