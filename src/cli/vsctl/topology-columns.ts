/** What commands on bridges and ports read of the database. */
import type { Wanted } from './monitored-database.ts';

export function wantTopology(wanted: Wanted): void {
  wanted.add('Open_vSwitch', 'bridges');
  wanted.add('Bridge', 'name', 'controller', 'fail_mode', 'ports');
  wanted.add('Port', 'name', 'fake_bridge', 'tag', 'interfaces');
  wanted.add('Interface', 'name', 'ofport', 'error');
  wanted.add('Controller');
}
