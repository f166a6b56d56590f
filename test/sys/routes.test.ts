/** The kernel's routes in a namespace's own tables are left alone here: only a device of this test's and routes over it. */
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { KernelRoutes } from '../../src/sys/routes.ts';

const ip = (...args: string[]): void => {
  execFileSync('ip', args, { stdio: 'pipe' });
};
const name = `tsvr${process.pid}`.slice(0, 12);
let routes: KernelRoutes;
let following: Promise<void>;
let changes = 0;

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

beforeEach(() => {
  changes = 0;
  routes = new KernelRoutes(() => changes++);
  following = routes.follow();
  ip('link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}p`);
  ip('link', 'set', name, 'up');
  ip('link', 'set', `${name}p`, 'up');
});

afterEach(async () => {
  routes.close();
  await following;
  ip('link', 'del', name);
});

test('a route that is added, replaced and removed is an event, and so is an address', async () => {
  const to = Uint8Array.of(198, 18, 7, 9);
  await new Promise((resolve) => setTimeout(resolve, 50));
  let before = changes;
  ip('addr', 'add', '198.18.1.1/24', 'dev', name);
  await until(() => changes > before);
  before = changes;
  ip('route', 'add', '198.18.7.0/24', 'via', '198.18.1.2', 'dev', name);
  await until(() => changes > before);
  expect(routes.lookup(to)?.gateway).toEqual(Uint8Array.of(198, 18, 1, 2));
  before = changes;
  ip('route', 'replace', '198.18.7.0/24', 'via', '198.18.1.3', 'dev', name);
  await until(() => changes > before);
  expect(routes.lookup(to)?.gateway).toEqual(Uint8Array.of(198, 18, 1, 3));
  before = changes;
  ip('-6', 'route', 'add', '2001:db8:7::/64', 'dev', name);
  await until(() => changes > before);
  expect(routes.all().some(({ destination }) => destination[4] === 0 && destination[1] === 1)).toBe(
    true,
  );
  before = changes;
  ip('route', 'del', '198.18.7.0/24');
  await until(() => changes > before);
});
