/**
 * Manual pages for man(1) from the markdown of doc/*.8.md: `node scripts/man.mjs [FOLDER]`, by default dist/man.
 *
 * The pages keep to a part of markdown: headings, paragraphs, indented examples, and lists whose items are `- TERM: text`. man(7) has a
 * macro for each of these.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const doc = join(root, 'doc');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Backslashes and hyphens mean themselves; a dot or an apostrophe in front of a line is no macro. */
const literal = (text) => text.replaceAll('\\', '\\e').replaceAll('-', '\\-');
const line = (text) => (/^[.']/.test(text) ? `\\&${text}` : text);

const inline = (text) =>
  text
    .split(/(\*\*[^*]+\*\*|`[^`]+`|\*[^*]+\*|\[[^\]]+\]\([^)]+\))/)
    .map((piece) => {
      if (piece.startsWith('**')) return `\\fB${literal(piece.slice(2, -2))}\\fR`;
      if (piece.startsWith('`')) return `\\fB${literal(piece.slice(1, -1))}\\fR`;
      if (piece.startsWith('*')) return `\\fI${literal(piece.slice(1, -1))}\\fR`;
      if (piece.startsWith('[')) return literal(piece.replace(/^\[([^\]]+)\].*/, '$1'));
      return literal(piece);
    })
    .join('');

const toRoff = (markdown) => {
  const out = [];
  let title = '';
  for (const block of markdown.trim().split(/\n\n+/)) {
    const lines = block.split('\n');
    if (block.startsWith('# ')) {
      title = block.slice(2);
      const [, name, section] = /^(\S+)\((\d)\)$/.exec(title);
      out.push(`.TH ${name.toUpperCase()} ${section} "" "ts\\-vswitch ${version}" ""`);
    } else if (block.startsWith('## ')) out.push(`.SH ${block.slice(3)}`);
    else if (block.startsWith('### ')) out.push(`.SS ${block.slice(4)}`);
    else if (block.startsWith('    ')) {
      out.push(
        '.PP',
        '.nf',
        '.RS 4',
        ...lines.map((text) => line(literal(text.slice(4)))),
        '.RE',
        '.fi',
      );
    } else if (block.startsWith('- ')) {
      for (const item of block.slice(2).split(/\n- /)) {
        const text = item.replaceAll(/\n\s*/g, ' ');
        const found = /^((?:`[^`]+`(?:, )?)+): (.*)$/.exec(text);
        if (found === null) out.push('.IP \\(bu 2', line(inline(text)));
        else out.push('.TP', line(inline(found[1])), line(inline(found[2])));
      }
    } else out.push('.PP', line(inline(lines.join(' '))));
  }
  return `${out.join('\n')}\n`;
};

const folder = process.argv[2] ?? join(root, 'dist/man');
mkdirSync(folder, { recursive: true });
for (const name of readdirSync(doc)) {
  if (!/\.8\.md$/.test(name)) continue;
  writeFileSync(join(folder, name.slice(0, -3)), toRoff(readFileSync(join(doc, name), 'utf8')));
}
