/** From Mirror rows to the mirrors of a bridge (ovs-vswitchd.conf.db(5), Mirror table). Pure; what is amiss is complained of. */
import type { MirrorSettings } from '../ofproto/mirrors.ts';
import type { Database } from '../ovsdb/replica.ts';
import type { Row } from '../ovsdb/schema.ts';

/** `complain` takes a log level and a text. A mirror that cannot be is left out. */
export function wantedMirrors(
  db: Database,
  bridge: Row<'Bridge'>,
  complain: (level: 'err' | 'warn', message: string) => void,
): MirrorSettings[] {
  const wanted: MirrorSettings[] = [];
  const own = new Set(bridge.ports);
  for (const uuid of bridge.mirrors) {
    const row = db.row('Mirror', uuid);
    if (row === undefined) continue;
    const which = `bridge ${bridge.name}: mirror ${row.name}`;
    const output = outputOf(db, row, own, (why) => complain('err', `${which} ${why}`));
    if (output === null) continue;
    const names = (uuids: readonly string[]): string[] => {
      const ports: string[] = [];
      for (const port of uuids) {
        const name = db.row('Port', port)?.name;
        if (name === undefined) continue;
        if (own.has(port)) ports.push(name);
        else complain('warn', `${which} cannot match on nonexistent port ${name}`);
      }
      return ports.sort();
    };
    wanted.push({
      id: uuid,
      name: row.name,
      selectAll: row.select_all,
      sources: row.select_all ? [] : names(row.select_src_port),
      destinations: row.select_all ? [] : names(row.select_dst_port),
      vlans: row.select_vlan.filter((vlan) => vlan >= 0 && vlan <= 4095).sort((a, b) => a - b),
      output,
      snaplen: row.snaplen,
    });
  }
  // The database has no order: names give one that stays.
  return wanted.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

function outputOf(
  db: Database,
  row: Row<'Mirror'>,
  own: ReadonlySet<string>,
  complain: (why: string) => void,
): MirrorSettings['output'] | null {
  if (row.output_port !== null) {
    const name = db.row('Port', row.output_port)?.name;
    if (name === undefined || !own.has(row.output_port)) {
      complain('outputs to port not on bridge');
      return null;
    }
    if (row.output_vlan !== null) {
      complain('specifies both output port and output vlan; ignoring output vlan');
    }
    return { port: name };
  }
  if (row.output_vlan !== null) return { vlan: row.output_vlan };
  complain('does not specify output; ignoring');
  return null;
}
