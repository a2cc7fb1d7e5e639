/** Finding the server's program. */
import path from "node:path";

export interface Locations {
  readonly platform: NodeJS.Platform;
  readonly home: string;
  /** The setting; empty if it is not set. */
  readonly configured: string;
  /** The environment variable PATH. */
  readonly searchPath: string;
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

/** Where to look, in order. If a program is configured, only that one is tried. */
export function candidates(locations: Locations): readonly Found[] {
  if (locations.configured !== "") {
    return [{ program: expanded(locations.configured, locations), origin: "setting" }];
  }
  return [
    ...onPath(locations),
    {
      program: programIn(locations.ownVenv, "copilot-server", locations.platform),
      origin: "own environment",
    },
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

function onPath(locations: Locations): Found[] {
  const paths = pathsOf(locations.platform);
  const name = locations.platform === "win32" ? "copilot-server.exe" : "copilot-server";
  // A relative folder would mean a different program in each workspace.
  const folders = locations.searchPath.split(paths.delimiter).filter((folder) => paths.isAbsolute(folder));
  return folders.map((folder) => ({ program: paths.join(folder, name), origin: "PATH" }));
}

function inWorkspace(locations: Locations): Found[] {
  const paths = pathsOf(locations.platform);
  return locations.trustedFolders.map((folder) => ({
    program: programIn(paths.join(folder, ".venv"), "copilot-server", locations.platform),
    origin: "workspace",
  }));
}

function expanded(configured: string, locations: Locations): string {
  const isInHome = configured === "~" || /^~[/\\]/.test(configured);
  return isInHome ? pathsOf(locations.platform).join(locations.home, configured.slice(1)) : configured;
}

function pathsOf(platform: NodeJS.Platform): typeof path.posix {
  return platform === "win32" ? path.win32 : path.posix;
}
