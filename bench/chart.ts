/**
 * A chart of the comparison as SVG text: a small panel for each figure with a bar for each contestant, all panels of one
 * width in two columns. A panel has its own scale from 0, since units differ; the value stands behind its bar.
 *
 * A pure function of the data, so that the picture in the repository is what the numbers beside it say.
 */
export interface Bar {
  readonly label: string;
  /** Not finite for what was not measured: such a bar is left out. */
  readonly value: number;
}

export interface Panel {
  readonly title: string;
  readonly unit: string;
  readonly moreIsBetter: boolean;
  readonly bars: readonly Bar[];
}

const COLUMNS = 2;
const PANEL_WIDTH = 470;
const GAP = 24;
const LABEL_WIDTH = 132;
const VALUE_WIDTH = 62;
const BAR_HEIGHT = 13;
const BAR_STEP = 18;
const TITLE_HEIGHT = 24;
const PANEL_GAP = 18;
const HEAD_HEIGHT = 62;
const FONT = 'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"';

/** The first contestant stands out; the others differ from each other in lightness as well. */
const COLOURS = ['#1f6feb', '#d9822b', '#ecc08a', '#8b949e', '#c9d1d9'];

const escaped = (text: string): string =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');

/** Three significant digits or all before the point. */
export const shortNumber = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);

const text = (
  x: number,
  y: number,
  size: number,
  fill: string,
  content: string,
  more = '',
): string =>
  `<text x="${x}" y="${y}" font-size="${size}" fill="${fill}"${more}>${escaped(content)}</text>`;

const heightOf = (panel: Panel): number =>
  TITLE_HEIGHT + panel.bars.filter(({ value }) => Number.isFinite(value)).length * BAR_STEP;

const drawPanel = (panel: Panel, colours: ReadonlyMap<string, string>, x: number, y: number) => {
  const bars = panel.bars.filter(({ value }) => Number.isFinite(value));
  const longest = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE);
  const room = PANEL_WIDTH - LABEL_WIDTH - VALUE_WIDTH;
  const goodness = panel.moreIsBetter ? 'more is better' : 'less is better';
  const lines = [
    text(x, y + 12, 13, '#1f2328', panel.title, ' font-weight="600"'),
    text(
      x + PANEL_WIDTH,
      y + 12,
      11,
      '#57606a',
      `${panel.unit === '' ? '' : `${panel.unit}, `}${goodness}`,
      ' text-anchor="end"',
    ),
  ];
  for (const [i, { label, value }] of bars.entries()) {
    const top = y + TITLE_HEIGHT + i * BAR_STEP - 4;
    const width = Math.max(1, (room * value) / longest).toFixed(1);
    const colour = colours.get(label) ?? COLOURS[0];
    lines.push(
      text(x + LABEL_WIDTH - 8, top + 11, 11.5, '#1f2328', label, ' text-anchor="end"'),
      `<rect x="${x + LABEL_WIDTH}" y="${top}" width="${width}" height="${BAR_HEIGHT}" rx="2" fill="${colour}"/>`,
      text(x + LABEL_WIDTH + Number(width) + 6, top + 11, 11.5, '#1f2328', shortNumber(value)),
    );
  }
  return lines.join('\n');
};

/** The whole picture. Labels of bars have colours in the order in which they first occur. */
export const chart = (title: string, subtitle: string, panels: readonly Panel[]): string => {
  const labels = new Set(panels.flatMap(({ bars }) => bars.map(({ label }) => label)));
  const colours = new Map([...labels].map((label, i) => [label, COLOURS[i % COLOURS.length]]));
  const shown = panels.filter((panel) => panel.bars.some(({ value }) => Number.isFinite(value)));
  const drawn: string[] = [];
  let y = HEAD_HEIGHT;
  // Row by row from left to right, as one reads.
  for (let i = 0; i < shown.length; i += COLUMNS) {
    const row = shown.slice(i, i + COLUMNS);
    for (const [column, panel] of row.entries())
      drawn.push(drawPanel(panel, colours, GAP + column * (PANEL_WIDTH + 2 * GAP), y));
    y += Math.max(...row.map(heightOf)) + PANEL_GAP;
  }
  const width = 2 * GAP + COLUMNS * PANEL_WIDTH + (COLUMNS - 1) * 2 * GAP;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" viewBox="0 0 ${width} ${y}" ${FONT}>`,
    `<rect width="${width}" height="${y}" fill="#ffffff"/>`,
    text(GAP, 28, 17, '#1f2328', title, ' font-weight="600"'),
    text(GAP, 46, 11, '#57606a', subtitle),
    ...drawn,
    '</svg>',
    '',
  ].join('\n');
};
