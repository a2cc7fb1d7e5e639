/** Processes that hold something by a file, which outlives them if they crash. */
import { readFileSync, statSync } from "node:fs";
import { link, mkdir, open, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import path from "node:path";
import { setTimeout } from "node:timers/promises";

export interface Holder {
  readonly pid: number;
  readonly host: string;
  /** How long ago the file was written or touched, in seconds. */
  readonly age_s: number;
}

/** How long a process on another machine, which cannot be seen from here, is taken for alive. */
const ELSEWHERE_S = 7 * 24 * 3600;
/** The owner of a lock touches it this often, and has lost it if it has not for so long. */
const BEAT_MS = 5000;
const SILENT_S = 120;
const POLL_MS = 300;

/** What a file says about its holder, which is this process. */
export function myself(): Omit<Holder, "age_s"> {
  return { pid: process.pid, host: hostname() };
}

/** The holder that a file names; undefined if there is no such file, or it names none. */
export async function readHolder(file: string): Promise<Holder | undefined> {
  try {
    const [text, { mtimeMs }] = [await readFile(file, "utf8"), await stat(file)];
    const { pid, host } = JSON.parse(text) as Record<string, unknown>;
    const age_s = (Date.now() - mtimeMs) / 1000;
    return typeof pid === "number" && typeof host === "string" ? { pid, host, age_s } : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a holder's process lives. */
export function isAlive(holder: Holder | undefined): boolean {
  if (holder === undefined) {
    return false;
  }
  if (holder.host !== hostname()) {
    return holder.age_s < ELSEWHERE_S;
  }
  try {
    process.kill(holder.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // it is another user's
  }
}

/** A lock between processes. One whose owner has crashed can be taken. */
export class Lock {
  private readonly beat: NodeJS.Timeout;

  private constructor(private readonly file: string) {
    this.beat = setInterval(() => {
      const now = new Date();
      utimes(file, now, now).catch(() => undefined);
    }, BEAT_MS);
    this.beat.unref();
  }

  /** Take the lock; undefined if a living process has it. */
  static async take(file: string): Promise<Lock | undefined> {
    await mkdir(path.dirname(file), { recursive: true });
    for (let attempt = 0; attempt < 3; attempt++) {
      if (await created(file)) {
        return new Lock(file);
      }
      if (await isHeld(file)) {
        return undefined;
      }
      await takeAway(file);
    }
    return undefined;
  }

  async release(): Promise<void> {
    clearInterval(this.beat);
    await rm(this.file, { force: true });
  }
}

/** Whether a living process has the lock. */
export async function isHeld(file: string): Promise<boolean> {
  const holder = await readHolder(file);
  if (holder === undefined) {
    return isYoung(file); // it is being written
  }
  return holder.age_s < SILENT_S && isAlive(holder);
}

/** Wait until no living process has the lock, or the signal comes. */
export async function untilReleased(file: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && (await isHeld(file))) {
    await setTimeout(POLL_MS);
  }
}

function isYoung(file: string): boolean {
  try {
    return Date.now() - statSync(file).mtimeMs < BEAT_MS;
  } catch {
    return false;
  }
}

async function created(file: string): Promise<boolean> {
  try {
    const opened = await open(file, "wx");
    await opened.writeFile(JSON.stringify(myself()));
    await opened.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") {
      return false;
    }
    throw error;
  }
}

/** Take a stale lock away. If another process has just replaced it by its own, that is put back. */
async function takeAway(file: string): Promise<void> {
  const away = `${file}.${process.pid}`;
  const before = textOf(file);
  await rename(file, away).catch(() => undefined);
  if (textOf(away) !== before) {
    await link(away, file).catch(() => undefined);
  }
  await rm(away, { force: true });
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
