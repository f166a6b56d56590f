/**
 * Tables as they are printed (ovs-vsctl(8), "Table Formatting Options"): five formats, three forms of cells.
 */
import type { Json } from '../../ovsdb/json-stream.ts';
import { type Datum, datumJson, datumText } from '../../ovsdb/server/datum.ts';
import type { DatumType } from '../../ovsdb/server/datum-type.ts';
import { canonicalText } from '../../ovsdb/server/failure.ts';

interface Cell {
  readonly datum: Datum;
  readonly type: DatumType;
}

export interface TableOutput {
  readonly headings: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

const FORMATS = ['table', 'list', 'html', 'csv', 'json'] as const;
type Format = (typeof FORMATS)[number];
const CELL_FORMATS = ['string', 'bare', 'json'] as const;
type CellFormat = (typeof CELL_FORMATS)[number];

export interface TableStyle {
  readonly format: Format;
  readonly data: CellFormat;
  readonly hasHeadings: boolean;
  readonly isPretty: boolean;
  /** Characters; 0 for no limit. */
  readonly maxColumnWidth: number;
}

export const formatNamed = (name: string): Format | undefined =>
  FORMATS.find((one) => one === name);
export const cellFormatNamed = (name: string): CellFormat | undefined =>
  CELL_FORMATS.find((one) => one === name);

const bareText = ({ keys, values }: Datum): string =>
  keys.map((key, i) => (values === null ? String(key) : `${key}=${values[i]}`)).join(' ');

function cellText({ datum, type }: Cell, format: CellFormat): string {
  if (format === 'bare') return bareText(datum);
  return format === 'json' ? canonicalText(datumJson(datum, type)) : datumText(datum, type);
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};
const escaped = (text: string): string => text.replace(/[&<>"]/g, (char) => ENTITIES[char]);

const UUIDS = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** Rows are anchors, and whatever is a UUID leads to one. */
function htmlCell(cell: Cell, heading: string, data: CellFormat): string {
  const raw = cellText(cell, data);
  const text = escaped(raw);
  if (heading === '_uuid') return `<a name="${text}">${escaped(raw.slice(0, 8))}</a>`;
  return text.replace(UUIDS, (uuid) => `<a href="#${uuid}">${uuid.slice(0, 8)}</a>`);
}

function htmlText({ headings, rows }: TableOutput, style: TableStyle): string {
  const row = (tag: string, cells: readonly string[]): string =>
    `  <tr>\n${cells.map((cell) => `    <${tag}>${cell}</${tag}>\n`).join('')}  </tr>\n`;
  const head = style.hasHeadings ? row('th', headings.map(escaped)) : '';
  const body = rows.map((cells) =>
    row(
      'td',
      cells.map((cell, i) => htmlCell(cell, headings[i], style.data)),
    ),
  );
  return `<table border=1>\n${head}${body.join('')}</table>\n`;
}

function tableText({ headings, rows }: TableOutput, style: TableStyle): string {
  const texts = rows.map((cells) => cells.map((cell) => cellText(cell, style.data)));
  const widths = headings.map((heading, i) => {
    let width = 0;
    for (const row of texts) width = Math.max(width, row[i].length);
    if (style.maxColumnWidth > 0) width = Math.min(width, style.maxColumnWidth);
    return style.hasHeadings ? Math.max(width, heading.length) : width;
  });
  const line = (cells: readonly string[]): string =>
    `${cells
      .map((cell, i) => cell.slice(0, widths[i]).padEnd(widths[i]))
      .join(' ')
      .replace(/ +$/, '')}\n`;
  const head = style.hasHeadings
    ? line(headings) + line(widths.map((width) => '-'.repeat(width)))
    : '';
  return head + texts.map(line).join('');
}

function listText({ headings, rows }: TableOutput, style: TableStyle): string {
  const lines = (cells: readonly Cell[]): string =>
    cells
      .map((cell, i) => {
        const text = cellText(cell, style.data);
        return style.hasHeadings ? `${headings[i].padEnd(20)}: ${text}\n` : `${text}\n`;
      })
      .join('');
  return rows.map(lines).join('\n');
}

const csvField = (text: string): string =>
  /[\n,"]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

function csvText({ headings, rows }: TableOutput, style: TableStyle): string {
  const line = (cells: readonly string[]): string => `${cells.map(csvField).join(',')}\n`;
  const head = style.hasHeadings ? line(headings) : '';
  return head + rows.map((row) => line(row.map((cell) => cellText(cell, style.data)))).join('');
}

/** One member or element a line; brackets close on the last one's. */
function prettyJson(json: Json, indent = ''): string {
  const inner = `${indent}  `;
  if (Array.isArray(json)) {
    if (json.length === 0) return '[]';
    return `[\n${json.map((one) => inner + prettyJson(one, inner)).join(',\n')}]`;
  }
  if (typeof json !== 'object' || json === null) return canonicalText(json);
  const names = Object.keys(json).sort();
  if (names.length === 0) return '{}';
  const members = names.map(
    (name) => `${inner}${JSON.stringify(name)}: ${prettyJson(json[name], inner)}`,
  );
  return `{\n${members.join(',\n')}}`;
}

function jsonText({ headings, rows }: TableOutput, style: TableStyle): string {
  const data = rows.map((row) => row.map(({ datum, type }) => datumJson(datum, type)));
  const json = { data, headings: [...headings] };
  return `${style.isPretty ? prettyJson(json) : canonicalText(json)}\n`;
}

const WRITERS: Readonly<Record<Format, (table: TableOutput, style: TableStyle) => string>> = {
  table: tableText,
  list: listText,
  html: htmlText,
  csv: csvText,
  json: jsonText,
};

const SEPARATED: readonly Format[] = ['table', 'list', 'csv'];

/** `isFirst`: no table was printed before. */
export function printedTable(table: TableOutput, style: TableStyle, isFirst: boolean): string {
  const gap = !isFirst && SEPARATED.includes(style.format) ? '\n' : '';
  return gap + WRITERS[style.format](table, style);
}
