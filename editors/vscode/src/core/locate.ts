/** Finding the server's program. */
import path from "node:path";

/** What paths and names of programs mean here. */
export interface Places {
  readonly platform: NodeJS.Platform;
  readonly home: string;
  /** The environment variable PATH. */
  readonly searchPath: string;
}

export interface Locations extends Places {
  /** The setting; empty if it is not set. */
  readonly configured: string;
  /** The virtual environment that the extension creates. */
  readonly ownVenv: string;
  /** Folders of the workspace; none unless it is trusted. */
  readonly trustedFolders: readonly string[];
}

export interface Found {
  readonly program: string;
  readonly origin: "setting" | "PATH" | "own environment" | "workspace";
}

/** The path of a program in a virtual environment. */
export function programIn(venv: string, name: string, platform: NodeJS.Platform): string {
  const paths = pathsOf(platform);
  return platform === "win32" ? paths.join(venv, "Scripts", `${name}.exe`) : paths.join(venv, "bin", name);
}

/** Where to look, in order. If a program is configured, only that one is tried: a path, or a name on the PATH. */
export function candidates(locations: Locations): readonly Found[] {
  const { configured } = locations;
  if (configured !== "") {
    const program = expanded(configured, locations);
    const programs = isBareName(configured) ? programsOnPath(configured, locations) : [program];
    return programs.flatMap((one) => (one === undefined ? [] : [{ program: one, origin: "setting" }]));
  }
  return [
    // First, since the user has had it installed for this editor, and updates it here.
    {
      program: programIn(locations.ownVenv, "copilot-server", locations.platform),
      origin: "own environment",
    },
    ...programsOnPath("copilot-server", locations).map((program): Found => ({ program, origin: "PATH" })),
    ...inWorkspace(locations),
  ];
}

/** The first candidate that can be run. */
export async function findServer(
  locations: Locations,
  isProgram: (file: string) => Promise<boolean>,
): Promise<Found | undefined> {
  for (const candidate of candidates(locations)) {
    if (await isProgram(candidate.program)) {
      return candidate;
    }
  }
  return undefined;
}

/**
 * Where a program of this name may be on the PATH, in order. A relative folder would mean a different program in each
 * workspace, and Windows would look into the current folder first.
 */
export function programsOnPath(name: string, { platform, searchPath }: Places): readonly string[] {
  const paths = pathsOf(platform);
  const file = platform === "win32" && !/\.exe$/i.test(name) ? `${name}.exe` : name;
  const folders = searchPath.split(paths.delimiter).filter((folder) => paths.isAbsolute(folder));
  return folders.map((folder) => paths.join(folder, file));
}

/** Whether `program` is only a name, to be found on the PATH. */
export function isBareName(program: string): boolean {
  return !/[/\\:~]/.test(program);
}

/** The absolute path that a setting means; undefined for a relative one, which would mean another in each workspace. */
export function expanded(configured: string, { platform, home }: Places): string | undefined {
  const paths = pathsOf(platform);
  const isInHome = configured === "~" || /^~[/\\]/.test(configured);
  const whole = isInHome ? paths.join(home, configured.slice(1)) : configured;
  return paths.isAbsolute(whole) ? whole : undefined;
}

function inWorkspace(locations: Locations): Found[] {
  const paths = pathsOf(locations.platform);
  return locations.trustedFolders.map((folder) => ({
    program: programIn(paths.join(folder, ".venv"), "copilot-server", locations.platform),
    origin: "workspace",
  }));
}

function pathsOf(platform: NodeJS.Platform): typeof path.posix {
  return platform === "win32" ? path.win32 : path.posix;
}
