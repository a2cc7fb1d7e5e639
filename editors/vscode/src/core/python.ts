/** Finding a Python to install with. */
import { expanded, isBareName, programsOnPath, type Places } from "./locate";
import { run } from "./program";

export interface PythonOptions extends Places {
  /** The setting: a path, or a name on the PATH; if empty, the usual names are tried. */
  readonly python: string;
  /** Where programs are run, which is never the workspace: Python runs modules of the folder that it is started in. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

/** An installation that failed; the message says what to do. */
export class InstallError extends Error {
  override name = "InstallError";
}

const OLDEST: readonly [number, number] = [3, 11];
const VERSION_PROGRAM = "import sys; print(sys.version_info[0], sys.version_info[1], sys.executable)";

/**
 * A Python that is new enough.
 *
 * @throws InstallError - If there is none.
 */
export async function findPython(options: PythonOptions): Promise<string> {
  const seen: string[] = [];
  for (const program of pythons(options)) {
    const answer = await versionOf(program, options);
    const [major = 0, minor = 0, executable = program] = answer ?? [];
    if (answer !== undefined && isNewEnough(Number(major), Number(minor))) {
      return executable;
    }
    if (answer !== undefined) {
      seen.push(`${program} is ${major}.${minor}`);
    }
  }
  throw new InstallError(noPython(options.python, seen));
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

async function versionOf(
  program: string,
  { folder, signal }: PythonOptions,
): Promise<readonly string[] | undefined> {
  try {
    const answer = await run(program, ["-c", VERSION_PROGRAM], { cwd: folder, signal, timeout_s: 60 });
    const [major, minor, ...executable] = answer.stdout.trim().split(" ");
    return answer.code === 0 ? [major ?? "", minor ?? "", executable.join(" ")] : undefined;
  } catch {
    return undefined; // the program does not exist
  }
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
    "Install one, or name it in the setting copilot-server.pythonPath, by its absolute path."
  );
}
