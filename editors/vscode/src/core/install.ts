/** Installing the server into its own virtual environment. */
import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { programIn } from "./locate";
import { lastWords, run, type Ended } from "./program";

export interface InstallOptions {
  /** The Python to use; if empty, those on the PATH are tried. */
  readonly python: string;
  /** What pip installs: a name, a wheel, or a folder. */
  readonly source: string;
  readonly venv: string;
  readonly platform: NodeJS.Platform;
  readonly signal: AbortSignal;
  /** Called at the beginning of each step with its description for the user. */
  readonly onStep: (step: string) => void;
  /** Called with all output. */
  readonly onOutput: (text: string) => void;
}

/** An installation that failed; the message says what to do. */
export class InstallError extends Error {
  override name = "InstallError";
}

const OLDEST: readonly [number, number] = [3, 11];
const VERSION_PROGRAM = "import sys; print(sys.version_info[0], sys.version_info[1], sys.executable)";

/**
 * Install the server, or update it; returns its program.
 * After a failure or a cancellation an incomplete environment is removed.
 *
 * @throws InstallError - If it could not be installed.
 */
export async function install(options: InstallOptions): Promise<string> {
  options.onStep("looking for Python");
  const python = await findPython(options);
  const wasThere = await venvWorks(options);
  try {
    if (!wasThere) {
      options.onStep("making an environment");
      await makeVenv(python, options);
    }
    options.onStep("asking pip");
    await pipInstall(options);
    return await checked(options);
  } catch (error) {
    if (!wasThere) {
      await rm(options.venv, { recursive: true, force: true });
    }
    throw error;
  }
}

/** A description of the step that a line of pip's output begins; undefined if it begins none. */
export function pipStep(line: string): string | undefined {
  const [, verb, what] =
    /^\s*(Collecting|Downloading|Building wheel for|Installing collected packages:?)\s+(\S+)/.exec(line) ??
    [];
  if (verb === undefined || what === undefined) {
    return undefined;
  }
  if (verb.startsWith("Installing")) {
    return "unpacking";
  }
  const name = path.posix.basename(what).replace(/[-=<>!~;[(].*$/, "");
  return verb.startsWith("Building") ? `building ${name}` : `fetching ${name}`;
}

/**
 * A Python that is new enough.
 *
 * @throws InstallError - If there is none.
 */
export async function findPython(
  options: Pick<InstallOptions, "python" | "platform" | "signal">,
): Promise<string> {
  const names = options.python === "" ? pythonNames(options.platform) : [options.python];
  const seen: string[] = [];
  for (const name of names) {
    const answer = await runOrNull(name, ["-c", VERSION_PROGRAM], options.signal);
    const [major = 0, minor = 0, executable = name] = answer?.stdout.trim().split(" ") ?? [];
    if (answer?.code === 0 && isNewEnough(Number(major), Number(minor))) {
      return executable;
    }
    if (answer?.code === 0) {
      seen.push(`${name} is ${major}.${minor}`);
    }
  }
  throw new InstallError(noPython(options.python, seen));
}

function isNewEnough(major: number, minor: number): boolean {
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}

function pythonNames(platform: NodeJS.Platform): readonly string[] {
  const versioned = [14, 13, 12, 11].map((minor) => `python3.${minor}`);
  return platform === "win32" ? ["python", "python3", "py"] : ["python3", ...versioned, "python"];
}

function noPython(configured: string, seen: readonly string[]): string {
  const found = seen.length > 0 ? ` (${seen.join(", ")})` : "";
  const where = configured === "" ? "on the PATH" : `at ${configured}`;
  return (
    `The server needs Python ${OLDEST.join(".")} or newer, and there is none ${where}${found}. ` +
    "Install one, or name it in the setting copilot-server.pythonPath."
  );
}

async function venvWorks({ venv, platform, signal }: InstallOptions): Promise<boolean> {
  const answer = await runOrNull(programIn(venv, "python", platform), ["-m", "pip", "--version"], signal);
  return answer?.code === 0;
}

async function makeVenv(python: string, options: InstallOptions): Promise<void> {
  await rm(options.venv, { recursive: true, force: true });
  await mkdir(path.dirname(options.venv), { recursive: true });
  const ended = await step(python, ["-m", "venv", options.venv], options);
  if (ended.code !== 0) {
    throw new InstallError(
      `${python} could not make a virtual environment: ${lastWords(ended)} ` +
        "On Debian and Ubuntu, install the package python3-venv.",
    );
  }
}

async function pipInstall(options: InstallOptions): Promise<void> {
  const args = ["-m", "pip", "install", "--upgrade", "--no-input", "--progress-bar", "off", options.source];
  const ended = await step(programIn(options.venv, "python", options.platform), args, options);
  if (ended.code !== 0) {
    throw new InstallError(pipFailure(ended, options.source));
  }
}

function pipFailure(ended: Ended, source: string): string {
  if (/No matching distribution found|Could not find a version/.test(ended.stderr)) {
    return (
      `pip found no ${source} to install. If you have a clone of copilot-server or a wheel of it, ` +
      "name it in the setting copilot-server.installSource, and try again."
    );
  }
  const words = ended.stderr.split(/\r?\n/).filter((line) => line.startsWith("ERROR:"));
  return `pip could not install ${source}: ${words.at(-1)?.slice("ERROR:".length).trim() ?? lastWords(ended)}`;
}

async function checked({ venv, platform, signal, source }: InstallOptions): Promise<string> {
  const program = programIn(venv, "copilot-server", platform);
  const answer = await runOrNull(program, ["--version"], signal);
  if (answer?.code !== 0) {
    throw new InstallError(`${source} was installed, but has no copilot-server that runs.`);
  }
  return program;
}

async function step(program: string, args: readonly string[], options: InstallOptions): Promise<Ended> {
  const ended = await run(program, args, { signal: options.signal, onOutput: options.onOutput });
  if (options.signal.aborted) {
    throw new InstallError("The installation was cancelled.");
  }
  return ended;
}

async function runOrNull(
  program: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<Ended | undefined> {
  try {
    return await run(program, args, { signal, timeout_s: 60 });
  } catch {
    return undefined; // the program does not exist
  }
}
