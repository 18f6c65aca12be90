/**
 * Records a command's last screen as an SVG for the documentation: `node scripts/picture.ts FILE.svg COLUMNS ROWS COMMAND…`; TITLE is what its first line says.
 * The command runs in a terminal of that size (util-linux `script`), so the picture is what a person would see.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

const [, , file = '', columns = '100', rows = '30', ...command] = process.argv;
const shell = `stty cols ${columns} rows ${rows}; ${command.join(' ')}`;
const { stdout } = spawnSync('script', ['-qec', shell, '/dev/null'], {
  encoding: 'utf8',
  maxBuffer: 1 << 26,
  timeout: 120_000,
});
const lines = lastScreen(stdout, Number(rows));
writeFileSync(file, svg(lines, Number(columns), process.env['TITLE'] ?? command.join(' ')));
process.stdout.write(`${lines.join('\n')}\n`);

/** Enough of a terminal for our own output: lines, carriage return, cursor up, erase below. */
function lastScreen(text: string, height: number): string[] {
  const screen: string[] = [''];
  let row = 0;
  let column = 0;
  for (const part of text.match(/\u001b\[[0-9;]*[A-Za-z]|\r|\n|[^\u001b\r\n]+/g) ?? []) {
    const sequence = /^\u001b\[([0-9]*)[0-9;]*([A-Za-z])$/.exec(part);
    if (sequence?.[2] === 'A') row = Math.max(0, row - Number(sequence[1] || 1));
    else if (sequence?.[2] === 'J') screen.splice(row + 1, Number.POSITIVE_INFINITY, ...[]);
    else if (sequence !== null) continue;
    else if (part === '\r') column = 0;
    else if (part === '\n') {
      row += 1;
      column = 0;
      screen[row] ??= '';
    } else {
      const before = (screen[row] ?? '').padEnd(column).slice(0, column);
      screen[row] = before + part + (screen[row] ?? '').slice(column + part.length);
      column += part.length;
    }
    if (sequence?.[2] === 'J') screen[row] = (screen[row] ?? '').slice(0, column);
  }
  const used = screen.map((line) => line.trimEnd());
  while (used.at(-1) === '') used.pop();
  return used.slice(-height);
}

function svg(lines: readonly string[], width: number, title: string): string {
  const [letter, height, margin] = [8.4, 19, 16];
  const body = lines
    .map(
      (line, at) => `<text x="${margin}" y="${margin * 3 + at * height}" xml:space="preserve">${escaped(line)}</text>`,
    )
    .join('\n');
  const size = `width="${Math.round(width * letter + margin * 2)}" height="${lines.length * height + margin * 4}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" role="img" aria-label="${escaped(title)}">
<rect width="100%" height="100%" rx="8" fill="#11151c"/>
<g fill="#d7dde8">
<text x="${margin}" y="${margin * 1.6}" fill="#7c8798">$ ${escaped(title)}</text>
${body}
</g>
</svg>
`;
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
