/** Installing the server into its own virtual environment. */
import { access, mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { programIn } from "./locate";
import { pipFailure } from "./pip";
import { lastWords, run, type Ended } from "./program";
import { findPython, InstallError, type PythonOptions } from "./python";

/**
 * What is installed: the server that comes with the extension, with what the lock file names and nothing whose hash
 * it does not have; or whatever pip takes for a name, a wheel or a folder, without hashes.
 */
export type Source =
  | { readonly kind: "bundled"; readonly archive: string; readonly lock: string }
  | { readonly kind: "unchecked"; readonly name: string };

export interface InstallOptions extends PythonOptions {
  readonly source: Source;
  readonly venv: string;
  /** Called at the beginning of each step with its description for the user. */
  readonly onStep: (step: string) => void;
  /** Called with all output. */
  readonly onOutput: (text: string) => void;
}

const QUIETLY = ["--no-input", "--progress-bar", "off"] as const;

/**
 * Install the server, or update it; returns its program.
 * After a failure or a cancellation an incomplete environment is removed.
 *
 * @throws NotAsLockedError - If the files with the hashes of the lock file cannot be had here.
 * @throws InstallError - If it could not be installed for another reason.
 */
export async function install(options: InstallOptions): Promise<string> {
  await mkdir(options.folder, { recursive: true });
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
 * The arguments of each call of pip.
 *
 * @param isTrusted - Whether what is in the environment already was installed by hashes, too.
 */
export function pipCommands(source: Source, isTrusted = true): readonly (readonly string[])[] {
  if (source.kind === "unchecked") {
    return [["install", "--upgrade", ...QUIETLY, source.name]];
  }
  const anew = isTrusted ? [] : ["--force-reinstall"];
  return [
    // Wheels alone: what builds another package from its source would come without a hash.
    ["install", "--require-hashes", "--only-binary", ":all:", ...anew, ...QUIETLY, "-r", source.lock],
    // The lock file has what builds the server. No index is asked for anything.
    [
      "install",
      "--no-deps",
      "--no-index",
      "--no-build-isolation",
      "--force-reinstall",
      ...QUIETLY,
      source.archive,
    ],
  ];
}

/** Install by hashes or without, and note which, since pip checks no hash of what is installed already. */
async function pipInstall(options: InstallOptions): Promise<void> {
  const mark = path.join(options.venv, "installed-by-hash");
  const isTrusted = await access(mark).then(
    () => true,
    () => false,
  );
  await rm(mark, { force: true });
  for (const args of pipCommands(options.source, isTrusted)) {
    await pip(args, options);
  }
  if (options.source.kind === "bundled") {
    await writeFile(mark, "");
  }
}

async function venvWorks(options: InstallOptions): Promise<boolean> {
  const answer = await runOrNull(venvPython(options), ["-m", "pip", "--version"], options);
  return answer?.code === 0;
}

async function makeVenv(python: string, options: InstallOptions): Promise<void> {
  await rm(options.venv, { recursive: true, force: true });
  const ended = await step(python, ["-m", "venv", options.venv], options);
  if (ended.code !== 0) {
    throw new InstallError(
      `${python} could not make a virtual environment: ${lastWords(ended)} ` +
        "On Debian and Ubuntu, install the package python3-venv.",
    );
  }
}

async function pip(args: readonly string[], options: InstallOptions): Promise<void> {
  const ended = await step(venvPython(options), ["-m", "pip", ...args], options);
  if (ended.code !== 0) {
    const configured = await runOrNull(venvPython(options), ["-m", "pip", "config", "list"], options);
    const { source } = options;
    throw pipFailure(ended.stderr || ended.stdout, {
      name: source.kind === "unchecked" ? source.name : undefined,
      configuration: configured?.stdout ?? "",
    });
  }
}

async function checked(options: InstallOptions): Promise<string> {
  const program = programIn(options.venv, "copilot-server", options.platform);
  const answer = await runOrNull(program, ["--version"], options);
  if (answer?.code !== 0) {
    const what = options.source.kind === "unchecked" ? options.source.name : "The server";
    throw new InstallError(`${what} was installed, but has no copilot-server that runs.`);
  }
  return program;
}

function venvPython({ venv, platform }: InstallOptions): string {
  return programIn(venv, "python", platform);
}

async function step(program: string, args: readonly string[], options: InstallOptions): Promise<Ended> {
  const { folder, signal, onOutput } = options;
  const ended = await run(program, args, { cwd: folder, signal, onOutput });
  if (signal.aborted) {
    throw new InstallError("The installation was cancelled.");
  }
  return ended;
}

async function runOrNull(
  program: string,
  args: readonly string[],
  { folder, signal }: InstallOptions,
): Promise<Ended | undefined> {
  try {
    return await run(program, args, { cwd: folder, signal, timeout_s: 60 });
  } catch {
    return undefined; // the program does not exist
  }
}
