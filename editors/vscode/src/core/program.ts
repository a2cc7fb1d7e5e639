/** Running a program until it ends. */
import { spawn, type ChildProcess } from "node:child_process";
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";

export interface Ended {
  /** The exit code; null if a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** The folder that it runs in, which is not to be the workspace: many a program runs or reads what is there. */
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
  readonly timeout_s?: number;
  /** Whether what it has started is ended with it. */
  readonly family?: boolean;
  /** Called with each piece of output of either stream. */
  readonly onOutput?: (text: string) => void;
}

/** How much is kept of the end of each stream. */
const KEPT_CHARACTERS = 1_000_000;
/** How long a program may take to end after it is asked to. */
const GRACE_MS = 5000;

/**
 * Run a program; resolves when it has ended for whatever reason.
 *
 * @throws Error - If it cannot be started.
 */
export function run(program: string, args: readonly string[], options: RunOptions): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env,
      stdio: ["ignore", "pipe", "pipe"],
      windowsHide: true,
      detached: hasGroup(options), // it leads a process group of its own
    });
    const stdout = collected(child.stdout, options.onOutput);
    const stderr = collected(child.stderr, options.onOutput);
    const unwatch = endedBy(child, options);
    child.on("error", (error) => {
      unwatch();
      reject(error);
    });
    child.on("close", (code, signal) => {
      unwatch();
      resolve({ code, signal, stdout: stdout(), stderr: stderr() });
    });
  });
}

/** Whether `file` is a file that this user may run. */
export async function isProgram(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false; // missing or not executable for this user: the search continues
  }
}

/** The last non-empty lines of a program's output, for a message. */
export function lastWords(ended: Ended, lines = 3): string {
  const said = (ended.stderr.trim() || ended.stdout.trim()).split(/\r?\n/);
  return said.slice(-lines).join("\n");
}

function collected(stream: NodeJS.ReadableStream, onOutput?: (text: string) => void): () => string {
  let text = "";
  stream.setEncoding("utf8");
  stream.on("data", (piece: string) => {
    text = (text + piece).slice(-KEPT_CHARACTERS);
    onOutput?.(piece);
  });
  return () => text;
}

/** End `child` when it is cancelled or takes too long; returns a function that stops watching. */
function endedBy(child: ChildProcess, options: RunOptions): () => void {
  const { signal, timeout_s } = options;
  let killTimer: NodeJS.Timeout | undefined;
  const end = (): void => {
    kill(child, "SIGTERM", options);
    killTimer = setTimeout(() => {
      kill(child, "SIGKILL", options);
    }, GRACE_MS);
  };
  const timer = timeout_s === undefined ? undefined : setTimeout(end, timeout_s * 1000);
  if (signal?.aborted) {
    end();
  }
  signal?.addEventListener("abort", end);
  return () => {
    clearTimeout(timer);
    clearTimeout(killTimer);
    signal?.removeEventListener("abort", end);
  };
}

function hasGroup({ family }: RunOptions): boolean {
  return family === true && process.platform !== "win32";
}

function kill(child: ChildProcess, signal: NodeJS.Signals, options: RunOptions): void {
  if (options.family !== true || child.pid === undefined) {
    child.kill(signal);
  } else if (process.platform === "win32") {
    spawn("taskkill", ["/pid", String(child.pid), "/T", "/F"], { stdio: "ignore", windowsHide: true });
  } else {
    try {
      process.kill(-child.pid, signal);
    } catch {
      // all of them have ended
    }
  }
}
