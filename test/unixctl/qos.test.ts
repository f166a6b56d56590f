/** qos/*: the texts of Open vSwitch for interfaces that cannot be shaped. */
import { expect, test } from 'vitest';
import { CommandTable } from '../../src/unixctl/command.ts';
import { qosCommands } from '../../src/unixctl/commands/qos.ts';

test('an interface that runs has no QoS, another one is unknown', async () => {
  const table = new CommandTable(qosCommands((name) => name === 'p1'));
  expect(await table.run('qos/show', ['p1'])).toBe('QoS not configured on p1\n');
  expect(await table.run('qos/show-types', ['p1'])).toBe(
    'No QoS types supported for interface: p1\n',
  );
  await expect((async () => table.run('qos/show', ['p2']))()).rejects.toThrow('no such interface');
});
