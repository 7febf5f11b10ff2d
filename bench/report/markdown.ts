/** Tables, and text between markers in a file that people write too. Pure. */

/** Cells are text; the first column is to the left, numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const rule = `|${head.map((_, column) => (column === 0 ? '---|' : '--:|')).join('')}`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}

const begin = (name: string): string => `<!-- ${name}: begin; written by npm run bench -- --all -->`;
const end = (name: string): string => `<!-- ${name}: end -->`;

/** Replaces what stands between the markers of `name`; without markers both are put at the end. */
export function replaceBetween(text: string, name: string, body: string): string {
  const block = `${begin(name)}\n\n${body.trim()}\n\n${end(name)}`;
  const from = text.indexOf(`<!-- ${name}: begin`);
  const to = text.indexOf(end(name));
  if (from < 0 && to < 0) return `${text.trimEnd()}\n\n${block}\n`;
  if (from < 0 || to < from) throw new Error(`the markers of "${name}" do not enclose anything`);
  return text.slice(0, from) + block + text.slice(to + end(name).length);
}
