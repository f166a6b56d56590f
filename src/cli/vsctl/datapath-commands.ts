/** Time-outs of connections by zone, and what a datapath can (ovs-vsctl(8), "Conntrack Zone Commands"). */
import { type Attempt, firstRow, type RowRef } from './attempt.ts';
import { command } from './command.ts';
import type { Wanted } from './monitored-database.ts';
import { fail } from './vsctl-error.ts';

/** The row of a datapath type such as `system`. */
function datapathNamed(attempt: Attempt, name: string): RowRef | undefined {
  const root = firstRow(attempt, 'Open_vSwitch');
  if (root === undefined) return undefined;
  const { keys, values } = attempt.read(root, attempt.column(root, 'datapaths'));
  attempt.verifyNamed(root, 'datapaths');
  const at = keys.indexOf(name);
  return at < 0 ? undefined : attempt.row(attempt.table('Datapath'), values?.[at] as string);
}

function want(wanted: Wanted): void {
  wanted.add('Open_vSwitch', 'datapaths');
  wanted.add('Datapath', 'ct_zones', 'capabilities');
  wanted.add('CT_Zone', 'timeout_policy');
  wanted.add('CT_Timeout_Policy', 'timeouts');
}

/** UUIDs of CT_Zone rows by zone. */
function zonesOf(attempt: Attempt, datapath: RowRef): Map<number, string> {
  const { keys, values } = attempt.read(datapath, attempt.column(datapath, 'ct_zones'));
  attempt.verifyNamed(datapath, 'ct_zones');
  return new Map(keys.map((key, i) => [Number(key), String(values?.[i])]));
}

/** `zone=N`; the original takes any other word for a zone that nobody knows. */
const zoneOf = (word: string): number => Number(/^zone=\s*([+-]?\d+)/.exec(word)?.[1] ?? 0);

function timeoutsOf(words: readonly string[]): Map<string, number> {
  const timeouts = new Map<string, number>();
  for (const word of words) {
    const [key, value = ''] = word.split('=');
    if (!timeouts.has(key)) timeouts.set(key, Number.parseInt(value, 10) || 0);
  }
  return timeouts;
}

function timeoutEntries(attempt: Attempt, policy: RowRef): [string, number][] {
  const { keys, values } = attempt.read(policy, attempt.column(policy, 'timeouts'));
  return keys.map((key, i) => [String(key), Number(values?.[i])]);
}

/** The policy that says this: one that there is, or a new one. */
function policyWith(attempt: Attempt, timeouts: ReadonlyMap<string, number>): RowRef {
  const table = attempt.table('CT_Timeout_Policy');
  const same = attempt.rows(table).find((row) => {
    const entries = timeoutEntries(attempt, row);
    return (
      entries.length === timeouts.size &&
      entries.every(([key, value]) => timeouts.get(key) === value)
    );
  });
  if (same !== undefined) return same;
  const row = attempt.insert(table);
  attempt.setMap(row, 'timeouts', timeouts);
  return row;
}

const addZoneTp = command({
  name: 'add-zone-tp',
  args: '',
  least: 3,
  most: 18,
  options: ['--may-exist'],
  usage: 'add-zone-tp DATAPATH zone=ZONE KEY=SECONDS...  set the time-outs of a zone',
  prepare: (_call, wanted) => want(wanted),
  run: (call, { attempt }) => {
    const [name, zoneText, ...words] = call.args;
    const datapath = datapathNamed(attempt, name) ?? fail(`datapath ${name} does not exist`);
    const zone = zoneOf(zoneText);
    const zones = zonesOf(attempt, datapath);
    const exists = zones.get(zone);
    if (exists !== undefined && !call.options.has('--may-exist')) {
      fail(`zone id ${zone} already exists`);
    }
    const policy = policyWith(attempt, timeoutsOf(words));
    const table = attempt.table('CT_Zone');
    const row =
      (exists === undefined ? undefined : attempt.row(table, exists)) ?? attempt.insert(table);
    attempt.setRefs(row, 'timeout_policy', [policy]);
    zones.set(zone, row.uuid);
    attempt.setMap(datapath, 'ct_zones', zones);
  },
});

const delZoneTp = command({
  name: 'del-zone-tp',
  args: '',
  least: 2,
  most: 2,
  options: ['--if-exists'],
  usage: 'del-zone-tp DATAPATH zone=ZONE  forget the time-outs of a zone',
  prepare: (_call, wanted) => want(wanted),
  run: (call, { attempt }) => {
    const [name, zoneText] = call.args;
    const datapath = datapathNamed(attempt, name) ?? fail(`datapath ${name} does not exist`);
    const zone = zoneOf(zoneText);
    const zones = zonesOf(attempt, datapath);
    if (!zones.delete(zone)) {
      if (!call.options.has('--if-exists')) fail(`zone id ${zone} does not exist`);
      return;
    }
    attempt.setMap(datapath, 'ct_zones', zones);
  },
});

const listZoneTp = command({
  name: 'list-zone-tp',
  args: '',
  least: 1,
  most: 1,
  usage: 'list-zone-tp DATAPATH          time-outs of all zones',
  prepare: (_call, wanted) => want(wanted),
  run: (call, { attempt }) => {
    const [name] = call.args;
    const datapath = datapathNamed(attempt, name) ?? fail(`datapath: ${name} record not found`);
    for (const [zone, uuid] of zonesOf(attempt, datapath)) {
      const row = attempt.row(attempt.table('CT_Zone'), uuid);
      const [policy] = row === undefined ? [] : attempt.refs(row, 'timeout_policy');
      const text =
        policy === undefined
          ? ' system default'
          : timeoutEntries(attempt, policy)
              .map(([key, value]) => ` ${key}=${value}`)
              .join('');
      call.output += `Zone:${zone}, Timeout Policies:${text}\n`;
    }
  },
});

const listDpCap = command({
  name: 'list-dp-cap',
  args: '',
  least: 1,
  most: 1,
  usage: 'list-dp-cap DATAPATH           what a datapath can',
  prepare: (_call, wanted) => want(wanted),
  run: (call, { attempt }) => {
    const [name] = call.args;
    const datapath = datapathNamed(attempt, name) ?? fail(`datapath "${name}" record not found`);
    const capabilities = [...attempt.entries(datapath, 'capabilities')];
    call.output = `${capabilities.map(([key, value]) => `${key}=${value}`).join(' ')}\n`;
  },
});

export const datapathCommands = [addZoneTp, delZoneTp, listZoneTp, listDpCap];
