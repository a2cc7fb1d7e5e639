/** The candidates of a panel, and the ranges that they replace when they are accepted. */

export interface Position {
  readonly line: number;
  readonly character: number;
}

export interface Span {
  readonly start: Position;
  readonly end: Position;
}

/** What the examples of a function say of a candidate: whether it passes them, and a sentence about it. */
export interface ExampleNote {
  readonly mark: ExampleMark;
  readonly message: string;
}

export type ExampleMark = (typeof MARKS)[number];

const MARKS = ["passed", "unchecked", "failed"] as const;

export interface Candidate {
  readonly text: string;
  /** The range of the document that it replaces. */
  readonly span: Span;
  /** What the function's examples say of it; undefined if the server does not say. */
  readonly examples: ExampleNote | undefined;
  /** The command that reports its acceptance to the server. */
  readonly command: { readonly command: string; readonly arguments: readonly unknown[] } | undefined;
}

/** Read the items that the server sent, and leave out those that are invalid. */
export function readCandidates(value: unknown, cursor: Position): readonly Candidate[] {
  const items = (value as { items?: unknown } | null | undefined)?.items;
  return (Array.isArray(items) ? items : [])
    .map((item: unknown) => readCandidate(item, cursor))
    .filter((candidate) => candidate !== undefined);
}

/** `known`, followed by those of `more` whose text is new. */
export function withNew(known: readonly Candidate[], more: readonly Candidate[]): readonly Candidate[] {
  const all = [...known];
  for (const candidate of more) {
    if (!all.some((other) => other.text === candidate.text)) {
      all.push(candidate);
    }
  }
  return all;
}

function readCandidate(item: unknown, cursor: Position): Candidate | undefined {
  if (typeof item !== "object" || item === null) {
    return undefined;
  }
  const { insertText, range, command, examples } = item as Record<string, unknown>;
  if (typeof insertText !== "string" || insertText === "") {
    return undefined;
  }
  return {
    text: insertText,
    span: readSpan(range) ?? { start: cursor, end: cursor },
    examples: readExamples(examples),
    command: readCommand(command),
  };
}

/** Read what the examples say of a suggestion; undefined if that is not valid. */
export function readMark(value: unknown): ExampleMark | undefined {
  return MARKS.find((mark) => mark === value);
}

function readExamples(value: unknown): ExampleNote | undefined {
  const { mark, message } = (value ?? {}) as Record<string, unknown>;
  const known = readMark(mark);
  return known === undefined || typeof message !== "string" ? undefined : { mark: known, message };
}

function readSpan(range: unknown): Span | undefined {
  const { start, end } = (range ?? {}) as Record<string, unknown>;
  return isPosition(start) && isPosition(end) ? { start, end } : undefined;
}

function isPosition(value: unknown): value is Position {
  const { line, character } = (value ?? {}) as Record<string, unknown>;
  return Number.isInteger(line) && Number.isInteger(character);
}

function readCommand(value: unknown): Candidate["command"] {
  const { command, arguments: args } = (value ?? {}) as Record<string, unknown>;
  if (typeof command !== "string") {
    return undefined;
  }
  return { command, arguments: Array.isArray(args) ? (args as unknown[]) : [] };
}
