/** Finding the server's program. */
import path from "node:path";

export interface Places {
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
export function candidates(places: Places): readonly Found[] {
  if (places.configured !== "") {
    return [{ program: expanded(places.configured, places), origin: "setting" }];
  }
  return [
    ...onPath(places),
    { program: programIn(places.ownVenv, "copilot-server", places.platform), origin: "own environment" },
    ...inWorkspace(places),
  ];
}

/** The first candidate that can be run. */
export async function findServer(
  places: Places,
  isProgram: (file: string) => Promise<boolean>,
): Promise<Found | undefined> {
  for (const candidate of candidates(places)) {
    if (await isProgram(candidate.program)) {
      return candidate;
    }
  }
  return undefined;
}

function onPath(places: Places): Found[] {
  const paths = pathsOf(places.platform);
  const name = places.platform === "win32" ? "copilot-server.exe" : "copilot-server";
  // A relative folder would mean a different program in each workspace.
  const folders = places.searchPath.split(paths.delimiter).filter((folder) => paths.isAbsolute(folder));
  return folders.map((folder) => ({ program: paths.join(folder, name), origin: "PATH" }));
}

function inWorkspace(places: Places): Found[] {
  const paths = pathsOf(places.platform);
  return places.trustedFolders.map((folder) => ({
    program: programIn(paths.join(folder, ".venv"), "copilot-server", places.platform),
    origin: "workspace",
  }));
}

function expanded(configured: string, places: Places): string {
  const isInHome = configured === "~" || /^~[/\\]/.test(configured);
  return isInHome ? pathsOf(places.platform).join(places.home, configured.slice(1)) : configured;
}

function pathsOf(platform: NodeJS.Platform): typeof path.posix {
  return platform === "win32" ? path.win32 : path.posix;
}
