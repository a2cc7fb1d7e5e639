/** The progress of a self-test, as it draws it on a terminal. */

export interface Progress {
  readonly checked: number;
  /** Undefined if the output is not that of a terminal. */
  readonly total: number | undefined;
  /** As printed, such as "56.7%"; undefined before the first verdict. */
  readonly passAt1: string | undefined;
}

/** Makes the self-test draw its bar although it writes to a pipe. */
export const TERMINAL_ENV = { TTY_COMPATIBLE: "1", COLUMNS: "100", PYTHONIOENCODING: "utf-8" } as const;

// Control sequences of a terminal: colours and cursor moves.
// eslint-disable-next-line no-control-regex -- these control characters are to be removed
const ESCAPES = /\x1b\[[0-9;?]*[A-Za-z]/g;
const BAR = /pass@1\s+(?:([\d.]+)\s?%|\.\.\.).*?(\d+)\/(\d+)/;
const LINE = /pass@1\s+([\d.]+)\s?% \((\d+) of (\d+)\)/;

/** Read one line of output; undefined if it does not report progress. */
export function readProgress(line: string): Progress | undefined {
  const plain = line.replaceAll(ESCAPES, "");
  const logged = LINE.exec(plain);
  if (logged !== null) {
    return { checked: Number(logged[3]), total: undefined, passAt1: percent(logged[1]) };
  }
  const bar = BAR.exec(plain);
  if (bar === null) {
    return undefined;
  }
  return { checked: Number(bar[2]), total: Number(bar[3]), passAt1: percent(bar[1]) };
}

/** Splits output that comes in pieces into lines. A carriage return, which redraws a progress bar, also ends a line. */
export class LineSplitter {
  private rest = "";

  /** The lines that `piece` completes. */
  push(piece: string): readonly string[] {
    const lines = (this.rest + piece).split(/[\r\n]+/);
    this.rest = lines.pop() ?? "";
    return lines.filter((line) => line !== "");
  }

  /** The rest at the end. */
  end(): readonly string[] {
    return this.rest === "" ? [] : [this.rest];
  }
}

function percent(digits: string | undefined): string | undefined {
  return digits === undefined ? undefined : `${digits}%`;
}
