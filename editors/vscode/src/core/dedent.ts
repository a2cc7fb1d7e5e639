/** Code as a card shows it: without the common indentation of its lines. */

export interface Shown {
  readonly before: string;
  readonly text: string;
}

/** Remove the common indentation of `before`, the line up to the cursor, and `text`, which follows it. */
export function dedented(before: string, text: string): Shown {
  const lines = (before + text).split("\n").filter((line) => line.trim() !== "");
  const shared = lines.map(indentOf).reduce(common, lines[0] === undefined ? "" : indentOf(lines[0]));
  const strip = (line: string): string => (line.startsWith(shared) ? line.slice(shared.length) : line);
  const [first = "", ...rest] = text.split("\n");
  return { before: strip(before), text: [first, ...rest.map(strip)].join("\n") };
}

function indentOf(line: string): string {
  return /^\s*/.exec(line)?.[0] ?? "";
}

function common(one: string, other: string): string {
  let length = 0;
  while (length < one.length && one[length] === other[length]) {
    length += 1;
  }
  return one.slice(0, length);
}
