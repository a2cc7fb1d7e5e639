/** Finding a Python to install with, or having uv fetch one. */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { CHOOSE_PYTHON, GET_PYTHON, GET_UV, InstallError } from "./failures";
import { expanded, isBareName, programIn, programsOnPath, type Places } from "./locate";
import { isTooNew, NEWEST, OLDEST, wrongPython } from "./pip";
import { isProgram, lastWords, run, type RunOptions } from "./program";

export interface PythonOptions extends Places {
  /** The setting: a path, or a name on the PATH; if empty, the usual names are tried. */
  readonly python: string;
  /** Where programs are run, which is never the workspace: Python runs modules of the folder that it is started in. */
  readonly folder: string;
  readonly signal: AbortSignal;
  /** A lock file with uv, which an older Python can install. */
  readonly uvLock?: string;
  /** Called with all output. */
  readonly onOutput?: (text: string) => void;
}

/** A Python that runs. */
export interface Python {
  readonly program: string;
  readonly version: readonly [number, number];
}

/** Where the Python comes from that a server can be installed with. */
export type PythonPlan =
  | { readonly kind: "found"; readonly python: Python }
  /** uv fetches one. */
  | { readonly kind: "uv"; readonly uv: string }
  /** pip of an older Python fetches uv, by its hash, and that a Python. */
  | { readonly kind: "pip"; readonly python: Python };

/** The version that uv fetches, which all libraries have wheels for. */
export const FETCHED_VERSION = "3.13";
/** The oldest Python that uv can be installed with. */
const OLDEST_FOR_UV = 8;
const VERSION_PROGRAM = "import sys; print(sys.version_info[0], sys.version_info[1], sys.executable)";

/**
 * Where a suitable Python is to be had: on this machine, or by uv.
 *
 * @throws InstallError - If there is neither.
 */
export async function planPython(options: PythonOptions): Promise<PythonPlan> {
  const seen = await seenPythons(options);
  const last = seen.at(-1);
  if (last !== undefined && isFitting(last)) {
    return { kind: "found", python: last };
  }
  if (options.python === "") {
    const uv = await findUv(options);
    if (uv !== undefined) {
      return { kind: "uv", uv };
    }
    const older = seen.find(({ version: [major, minor] }) => major === 3 && minor >= OLDEST_FOR_UV);
    if (older !== undefined && options.uvLock !== undefined) {
      return { kind: "pip", python: older };
    }
  }
  throw noPython(options.python, seen);
}

/** The Python of a plan, which is fetched if need be into `options.folder`. */
export async function havePython(plan: PythonPlan, options: PythonOptions): Promise<Python> {
  switch (plan.kind) {
    case "found":
      return plan.python;
    case "uv":
      return fetchPython(plan.uv, options);
    case "pip":
      return fetchPython(await installUv(plan.python, options), options);
  }
}

/** Where uv may be: on the PATH, or where its installers put it. */
export async function findUv(options: PythonOptions): Promise<string | undefined> {
  const name = options.platform === "win32" ? "uv.exe" : "uv";
  const usual = [".local/bin", ".cargo/bin"].map((folder) => path.join(options.home, folder, name));
  for (const program of [...programsOnPath("uv", options), ...usual]) {
    if (await isProgram(program)) {
      return program;
    }
  }
  return undefined;
}

/** Have pip install uv, by the hashes of the lock file. */
async function installUv(python: Python, options: PythonOptions): Promise<string> {
  const venv = path.join(options.folder, "uv");
  const pip = ["-m", "pip", "install", "--require-hashes", "--only-binary", ":all:", "--no-input"];
  const steps: [string, readonly string[]][] = [
    [python.program, ["-m", "venv", "--clear", venv]],
    [programIn(venv, "python", options.platform), [...pip, "-r", options.uvLock ?? ""]],
  ];
  for (const [program, args] of steps) {
    const ended = await run(program, args, runOptions(options));
    if (ended.code !== 0) {
      const [major, minor] = python.version;
      const what = `Python ${major}.${minor} is too old, and could not install uv, which would fetch a newer one`;
      throw new InstallError("python", `${what}: ${lastWords(ended)}`, [GET_PYTHON, CHOOSE_PYTHON, GET_UV]);
    }
  }
  return programIn(venv, "uv", options.platform);
}

/** Have uv fetch a Python into a folder of the extension's, which no other installation uses or removes. */
export async function fetchPython(uv: string, options: PythonOptions): Promise<Python> {
  const folder = path.join(options.folder, "pythons");
  await mkdir(folder, { recursive: true });
  const env = {
    ...process.env,
    UV_PYTHON_INSTALL_DIR: folder,
    UV_PYTHON_PREFERENCE: "only-managed",
    UV_PYTHON_INSTALL_BIN: "0",
    UV_NO_CONFIG: "1",
  };
  for (const args of [
    ["python", "install", FETCHED_VERSION],
    ["python", "find", FETCHED_VERSION],
  ]) {
    const ended = await run(uv, args, { ...runOptions(options), env });
    if (ended.code !== 0) {
      const message = `uv could not fetch Python ${FETCHED_VERSION}: ${lastWords(ended)}`;
      throw new InstallError(options.signal.aborted ? "cancelled" : "python", message);
    }
    const found = args[1] === "find" ? await asked(ended.stdout.trim(), options) : undefined;
    if (found !== undefined) {
      return found;
    }
  }
  throw new InstallError("python", `uv has fetched Python ${FETCHED_VERSION}, which does not run.`);
}

function runOptions({ folder, signal, onOutput }: PythonOptions): RunOptions {
  return { cwd: folder, signal, family: true, ...(onOutput === undefined ? {} : { onOutput }) };
}

/** The Pythons that there are, up to the first that fits. */
async function seenPythons(options: PythonOptions): Promise<readonly Python[]> {
  const seen: Python[] = [];
  for (const program of pythons(options)) {
    const python = await asked(program, options);
    if (python !== undefined) {
      seen.push(python);
      if (isFitting(python)) {
        break;
      }
    }
  }
  return seen;
}

/** The programs to try. The system would look for a mere name in the folder of the workspace, too. */
function pythons(options: PythonOptions): readonly string[] {
  if (options.python === "") {
    return pythonNames(options.platform).flatMap((name) => programsOnPath(name, options));
  }
  if (isBareName(options.python)) {
    return programsOnPath(options.python, options);
  }
  const program = expanded(options.python, options);
  return program === undefined ? [] : [program];
}

async function asked(program: string, { folder, signal }: PythonOptions): Promise<Python | undefined> {
  try {
    const answer = await run(program, ["-c", VERSION_PROGRAM], { cwd: folder, signal, timeout_s: 60 });
    const [major, minor, ...executable] = answer.stdout.trim().split(" ");
    return answer.code === 0
      ? { program: executable.join(" ") || program, version: [Number(major), Number(minor)] }
      : undefined;
  } catch {
    return undefined; // the program does not exist
  }
}

function isFitting({ version }: Python): boolean {
  const [major, minor] = version;
  return (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) && !isTooNew(version);
}

function pythonNames(platform: NodeJS.Platform): readonly string[] {
  const versioned = [13, 12, 14, 11].map((minor) => `python3.${minor}`);
  return platform === "win32" ? ["python", "python3", "py"] : ["python3", ...versioned, "python"];
}

function noPython(configured: string, seen: readonly Python[]): InstallError {
  const [first] = seen;
  const where = configured === "" ? "on the PATH" : `at ${configured}`;
  if (first !== undefined && isTooNew(first.version)) {
    return wrongPython(first.version, `It is ${first.program}, ${where}.`);
  }
  const found = seen.map(({ program, version }) => `${program} is ${version.join(".")}`).join(", ");
  return new InstallError(
    "python",
    `The server needs Python ${OLDEST.join(".")} to ${NEWEST.join(".")}, and there is none ${where}` +
      `${found === "" ? "" : ` (${found})`}. Install one, or uv, which fetches one; or name one in the setting ` +
      "copilot-server.pythonPath, by its absolute path.",
    [GET_PYTHON, CHOOSE_PYTHON, GET_UV],
  );
}
