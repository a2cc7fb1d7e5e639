/** Installing the server into a virtual environment of its own. */
import { mkdir, readFile, rm, statfs } from "node:fs/promises";
import path from "node:path";
import { freshFolder, publish, sweep } from "./environments";
import { fileFailure, InstallError, RETRY } from "./failures";
import { Lock } from "./holders";
import { programIn } from "./locate";
import { pipFailure } from "./pip";
import { lastWords, run, type Ended } from "./program";
import {
  FETCHED_VERSION,
  fetchPython,
  findUv,
  havePython,
  planPython,
  type Python,
  type PythonOptions,
} from "./python";
import { size, watchFolder, type Transfer } from "./transfer";

/**
 * What is installed: the server that comes with the extension, with what the lock file names and nothing whose hash
 * it does not have; or whatever pip takes for a name, a wheel or a folder, without hashes.
 */
export type Source =
  | {
      readonly kind: "bundled";
      /** Wheels for some systems, and the sdist for all others. */
      readonly archives: readonly string[];
      readonly lock: string;
      /** What pip fetches for it, about; undefined if nobody knows. */
      readonly download_bytes?: number;
      /** What it takes on disk, about. */
      readonly disk_bytes?: number;
    }
  | {
      readonly kind: "unchecked";
      readonly name: string;
      /** The server that comes with the extension, to be installed with libraries of any hash. */
      readonly bundled?: { readonly archives: readonly string[]; readonly requirements: readonly string[] };
    };

export interface InstallOptions extends PythonOptions {
  readonly source: Source;
  /** VS Code's setting, for where the environment variables name no proxy; empty if there is none. */
  readonly proxy: string;
  /** Called at the beginning of each step with its description for the user. */
  readonly onStep: (step: string) => void;
  /** Called with how much has been fetched. */
  readonly onTransfer: (transfer: Transfer) => void;
  /** Called with all output. */
  readonly onOutput: (text: string) => void;
}

/** An environment that is being made. */
interface Making {
  readonly options: InstallOptions;
  readonly venv: string;
  readonly python: Python;
}

const QUIETLY = ["--no-input", "--progress-bar", "off"] as const;
/** Prints the first of its arguments that is a wheel for this Python and this system. */
const CHOOSE = `
import os, sys
from pip._vendor.packaging.tags import sys_tags
from pip._vendor.packaging.utils import parse_wheel_filename
tags = set(sys_tags())
wheels = [file for file in sys.argv[1:] if file.endswith(".whl")]
print(next((file for file in wheels if parse_wheel_filename(os.path.basename(file))[3] & tags), ""))
`;

/** The lock of the window that installs. */
export function lockFile(folder: string): string {
  return path.join(folder, "install.lock");
}

/**
 * Install the server into a fresh environment, and make that the current one; returns the server's program.
 * After a failure or a cancellation the environment that was current before still is.
 *
 * @throws NotAsLockedError - If the files with the hashes of the lock file cannot be had here.
 * @throws InstallError - If it could not be installed for another reason.
 */
export async function install(options: InstallOptions): Promise<string> {
  const lock = await mkdir(options.folder, { recursive: true })
    .then(() => Lock.take(lockFile(options.folder)))
    .catch((error: unknown) => {
      throw fileFailure(error, options.folder);
    });
  if (lock === undefined) {
    throw new InstallError("busy", "Another window is installing the server.");
  }
  try {
    return await installAlone(options);
  } finally {
    await lock.release();
  }
}

async function installAlone(options: InstallOptions): Promise<string> {
  options.onStep("looking for Python");
  await sweep(options.folder);
  await checkSpace(options);
  const plan = await planPython(options);
  if (plan.kind !== "found") {
    options.onStep(`fetching Python ${FETCHED_VERSION} with uv`);
  }
  const python = await havePython(plan, options);
  const venv = await freshFolder(options.folder).catch((error: unknown) => {
    throw fileFailure(error, options.folder);
  });
  try {
    const making = await withVenv({ options, venv, python });
    await fetched(making);
    const program = await checked(making);
    await publish(options.folder, { folder: venv, version: program.version });
    return program.file;
  } catch (error) {
    await rm(venv, { recursive: true, force: true }).catch(() => undefined); // the next sweep tries again
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

/** The arguments of each call of pip; `archive`: the one that fits this system. */
export function pipCommands(source: Source, archive = ""): readonly (readonly string[])[] {
  // The lock file has what builds the server. No index is asked for anything.
  const server = ["install", "--no-deps", "--no-index", "--no-build-isolation", ...QUIETLY, archive];
  if (source.kind === "bundled") {
    // Wheels alone: what builds another package from its source would come without a hash.
    const hashed = ["install", "--require-hashes", "--only-binary", ":all:", ...QUIETLY, "-r", source.lock];
    return [hashed, server];
  }
  return source.bundled === undefined
    ? [["install", ...QUIETLY, source.name]]
    : [["install", ...QUIETLY, ...source.bundled.requirements], server];
}

/** The same without the hashes and versions of the lock file. */
export async function withoutHashes(source: Source & { readonly kind: "bundled" }): Promise<Source> {
  const requirements = requirementsIn(await readFile(source.lock, "utf8"));
  return { kind: "unchecked", name: "copilot-server", bundled: { archives: source.archives, requirements } };
}

/** What a lock file names, as arguments of pip. */
function requirementsIn(lock: string): readonly string[] {
  return [...lock.matchAll(/^([\w.-]+)==[^\s;]+(?: ;([^\\\n]*))?/gm)].map(
    ([, name = "", marker]) => name + (marker === undefined ? "" : ` ; ${marker.trim()}`),
  );
}

async function checkSpace({ folder, source }: InstallOptions): Promise<void> {
  const needed = source.kind === "bundled" ? source.disk_bytes : undefined;
  const free = await statfs(folder).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => undefined,
  );
  if (needed !== undefined && free !== undefined && free < needed) {
    throw new InstallError(
      "disk",
      `The server takes about ${size(needed)}, and the disk of ${folder} has ${size(free)} left. ` +
        "Make room, and try again.",
    );
  }
}

/** Make the environment; if this Python cannot, with one that uv fetches. */
async function withVenv(making: Making): Promise<Making> {
  const { options, venv, python } = making;
  options.onStep("making an environment");
  const ended = await step(python.program, ["-m", "venv", venv], making);
  if (ended.code === 0) {
    return making;
  }
  const uv = options.python === "" ? await findUv(options) : undefined;
  if (uv === undefined) {
    throw venvFailure(python, ended);
  }
  options.onStep(`fetching Python ${FETCHED_VERSION} with uv`);
  const another = await fetchPython(uv, options);
  const again = await step(another.program, ["-m", "venv", "--clear", venv], making);
  if (again.code !== 0) {
    throw venvFailure(another, again);
  }
  return { ...making, python: another };
}

function venvFailure({ program, version }: Python, ended: Ended): InstallError {
  const said = lastWords(ended);
  if (!/ensurepip|python3?[\d.]*-venv/.test(ended.stdout + ended.stderr)) {
    return new InstallError("venv", `${program} could not make a virtual environment: ${said}`);
  }
  const text = `sudo apt install python${version.join(".")}-venv`;
  return new InstallError(
    "venv",
    `${program} cannot make virtual environments: its module ensurepip is in a package of its own. Run \`${text}\`.`,
    [{ kind: "copy", text }, RETRY],
  );
}

/** Have pip fetch and install all. */
async function fetched(making: Making): Promise<void> {
  const { options, venv } = making;
  const { source } = options;
  const temporary = temporaryFolder(venv);
  await mkdir(temporary);
  options.onStep("asking pip");
  const total = source.kind === "bundled" ? source.download_bytes : undefined;
  const unwatch = watchFolder(temporary, total, options.onTransfer);
  try {
    const bundled = source.kind === "bundled" ? source : source.bundled;
    const archive = bundled === undefined ? "" : await fittingArchive(bundled.archives, making);
    for (const args of pipCommands(source, archive)) {
      await pip(args, making);
    }
  } finally {
    unwatch();
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
  }
}

async function fittingArchive(archives: readonly string[], making: Making): Promise<string> {
  const chosen = await runOrNull(venvPython(making), ["-c", CHOOSE, ...archives], making);
  const sdist = archives.find((file) => !file.endsWith(".whl")) ?? "";
  return chosen?.stdout.trim() || sdist; // eslint-disable-line @typescript-eslint/prefer-nullish-coalescing -- or empty
}

async function pip(args: readonly string[], making: Making): Promise<void> {
  const ended = await step(venvPython(making), ["-m", "pip", ...args], making);
  if (ended.code !== 0) {
    const { options, python } = making;
    const configured = await runOrNull(venvPython(making), ["-m", "pip", "config", "list"], making);
    throw pipFailure(`${ended.stdout}\n${ended.stderr}`, {
      name: options.source.kind === "unchecked" ? options.source.name : undefined,
      configuration: configured?.stdout ?? "",
      python: python.version,
      folder: options.folder,
    });
  }
}

async function checked(making: Making): Promise<{ readonly file: string; readonly version: string }> {
  const { options, venv } = making;
  const file = programIn(venv, "copilot-server", options.platform);
  const answer = await runOrNull(file, ["--version"], making);
  if (options.signal.aborted) {
    throw cancelled();
  }
  if (answer?.code !== 0) {
    const what = options.source.kind === "unchecked" ? options.source.name : "The server";
    throw new InstallError("other", `${what} was installed, but has no copilot-server that runs.`);
  }
  return { file, version: answer.stdout.trim().split(" ").at(-1) ?? "" };
}

function cancelled(): InstallError {
  return new InstallError("cancelled", "The installation was cancelled.");
}

function venvPython({ venv, options }: Making): string {
  return programIn(venv, "python", options.platform);
}

/** Where pip puts what it fetches, which is on the disk that it is installed on. */
function temporaryFolder(venv: string): string {
  return path.join(venv, "tmp");
}

function environment({ venv, options }: Making): NodeJS.ProcessEnv {
  const temporary = temporaryFolder(venv);
  const named = process.env["HTTPS_PROXY"] ?? process.env["https_proxy"];
  return {
    ...process.env,
    ...(options.proxy === "" || named !== undefined
      ? {}
      : { HTTPS_PROXY: options.proxy, HTTP_PROXY: options.proxy }),
    PIP_DISABLE_PIP_VERSION_CHECK: "1",
    TMPDIR: temporary,
    TEMP: temporary,
    TMP: temporary,
  };
}

async function step(program: string, args: readonly string[], making: Making): Promise<Ended> {
  const { folder, signal, onOutput } = making.options;
  const env = environment(making);
  const ended = await run(program, args, { cwd: folder, env, signal, onOutput, family: true });
  if (signal.aborted) {
    throw cancelled();
  }
  return ended;
}

async function runOrNull(
  program: string,
  args: readonly string[],
  making: Making,
): Promise<Ended | undefined> {
  const { folder, signal } = making.options;
  try {
    return await run(program, args, { cwd: folder, env: environment(making), signal, timeout_s: 60 });
  } catch {
    return undefined; // the program does not exist
  }
}
