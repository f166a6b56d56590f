import { describe, expect, test } from 'vitest';
import { readDatumText } from '../../../src/cli/vsctl/datum-text.ts';
import { findColumn, findTable } from '../../../src/cli/vsctl/names.ts';
import { SCHEMA } from '../../../src/cli/vsctl/schema.ts';
import {
  printedTable,
  type TableOutput,
  type TableStyle,
} from '../../../src/cli/vsctl/table-output.ts';

const port = findTable(SCHEMA, 'Port');

function tableOf(headings: string[], ...rows: string[][]): TableOutput {
  const columns = headings.map((name) => findColumn(port, name));
  return {
    headings,
    rows: rows.map((texts) =>
      texts.map((text, i) => ({
        datum: readDatumText(columns[i].type, text, null),
        type: columns[i].type,
      })),
    ),
  };
}

const TABLE = tableOf(
  ['name', 'trunks', 'external_ids'],
  ['p1', '1,2', 'a="x, y"'],
  ['"p 2"', '[]', '{}'],
);

const STYLE: TableStyle = {
  format: 'list',
  data: 'string',
  hasHeadings: true,
  isPretty: false,
  maxColumnWidth: 0,
};

const print = (style: Partial<TableStyle>, table = TABLE) =>
  printedTable(table, { ...STYLE, ...style }, true);

describe('tables', () => {
  test('list', () => {
    expect(print({})).toBe(
      'name                : p1\ntrunks              : [1, 2]\nexternal_ids        : {a="x, y"}\n' +
        '\nname                : "p 2"\ntrunks              : []\nexternal_ids        : {}\n',
    );
  });

  test('bare', () => {
    expect(print({ data: 'bare', hasHeadings: false })).toBe('p1\n1 2\na=x, y\n\np 2\n\n\n');
  });

  test('table', () => {
    expect(print({ format: 'table' })).toBe(
      'name  trunks external_ids\n----- ------ ------------\np1    [1, 2] {a="x, y"}\n"p 2" []     {}\n',
    );
    expect(print({ format: 'table', data: 'bare', hasHeadings: false })).toBe(
      'p1  1 2 a=x, y\np 2\n',
    );
    expect(print({ format: 'table', maxColumnWidth: 2, hasHeadings: false })).toBe(
      'p1 [1 {a\n"p [] {}\n',
    );
  });

  test('csv', () => {
    expect(print({ format: 'csv' })).toBe(
      'name,trunks,external_ids\np1,"[1, 2]","{a=""x, y""}"\n"""p 2""",[],{}\n',
    );
  });

  test('json', () => {
    expect(print({ format: 'json' })).toBe(
      '{"data":[["p1",["set",[1,2]],["map",[["a","x, y"]]]],["p 2",["set",[]],["map",[]]]],"headings":["name","trunks","external_ids"]}\n',
    );
    expect(print({ format: 'json', isPretty: true }, tableOf(['name'], ['x']))).toBe(
      '{\n  "data": [\n    [\n      "x"]],\n  "headings": [\n    "name"]}\n',
    );
  });

  test('html links what is a UUID', () => {
    const uuid = '01234567-89ab-4def-8123-456789abcdef';
    const table = tableOf(['name', 'qos'], ['"<&>"', uuid]);
    expect(print({ format: 'html' }, table)).toBe(
      '<table border=1>\n  <tr>\n    <th>name</th>\n    <th>qos</th>\n  </tr>\n  <tr>\n' +
        `    <td>&quot;&lt;&amp;&gt;&quot;</td>\n    <td><a href="#${uuid}">01234567</a></td>\n  </tr>\n</table>\n`,
    );
  });

  test('a gap stands before all but the first, where the format has gaps', () => {
    const one = tableOf(['name'], ['x']);
    expect(printedTable(one, STYLE, false)).toBe('\nname                : x\n');
    expect(printedTable(one, { ...STYLE, format: 'json' }, false)).toBe(
      '{"data":[["x"]],"headings":["name"]}\n',
    );
  });
});
