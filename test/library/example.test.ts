import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'node:util';
import { expect, it } from 'vitest';
import { createSwitch } from '../../src/library/create-switch.ts';
import { root } from '../architecture/source-tree.ts';

/** Functions may await. */
const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor as new (
  ...text: string[]
) => (...values: unknown[]) => Promise<void>;

it('the example of doc/library.md prints what its comments say', async () => {
  const page = readFileSync(join(root, 'doc/library.md'), 'utf8');
  const [, code = ''] = /```js\n(import .*?)```/s.exec(page) ?? [];
  const body = code.replace("import { createSwitch } from 'ts-vswitch';\n", '');
  expect(body).not.toBe(code);
  const promised = [...body.matchAll(/console\.log.* \/\/ (.*)/g)].map(([, text]) => text);
  const printed: string[] = [];
  const console = { log: (...words: unknown[]) => printed.push(format(...words)) };
  await new AsyncFunction('createSwitch', 'console', body)(createSwitch, console);
  expect(promised).toHaveLength(4);
  expect(printed).toEqual(promised);
});
