/**
 * The environments that the extension installs servers into: each in a fresh folder, which nothing is ever installed
 * into again. A file names the current one. So an installation disturbs no server that runs, an unfinished one is never
 * found, and two windows cannot harm each other.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { isAlive, myself, readHolder } from "./holders";

export interface Environment {
  readonly folder: string;
  /** The version of the server that is in it; empty if it is not known. */
  readonly version: string;
}

const CURRENT = "current.json";
const LEASE = /^(.+)\.(?:\d+)\.lease$/;
/** Where versions up to 0.2.0 installed. */
const FORMER = "server";

/** The folder of all environments. */
export function environmentsFolder(storage: string): string {
  return path.join(storage, "servers");
}

/** The file that names the current environment; it changes when an installation ends. */
export function currentFile(storage: string): string {
  return path.join(environmentsFolder(storage), CURRENT);
}

/** The environment that the last finished installation made. */
export async function currentEnvironment(storage: string): Promise<Environment> {
  const named = await readCurrent(storage);
  return named === undefined
    ? { folder: path.join(storage, FORMER), version: "" }
    : { ...named, folder: path.join(environmentsFolder(storage), named.folder) };
}

/** Make an empty folder for a new environment, and use it. */
export async function freshFolder(storage: string): Promise<string> {
  const name = `${Date.now().toString(36)}-${process.pid.toString(36)}`; // short, since Windows limits whole paths
  const folder = path.join(environmentsFolder(storage), name);
  await mkdir(environmentsFolder(storage), { recursive: true });
  await use(storage, folder);
  await mkdir(folder);
  return folder;
}

/** Make `environment` the current one. */
export async function publish(storage: string, environment: Environment): Promise<void> {
  const file = currentFile(storage);
  const text = JSON.stringify({ folder: path.basename(environment.folder), version: environment.version });
  await writeFile(`${file}.${process.pid}`, text);
  await rename(`${file}.${process.pid}`, file);
}

/** Keep `folder` from being swept as long as this process lives. */
export async function use(storage: string, folder: string): Promise<void> {
  const lease = `${path.basename(folder)}.${process.pid}.lease`;
  await mkdir(environmentsFolder(storage), { recursive: true });
  await writeFile(path.join(environmentsFolder(storage), lease), JSON.stringify(myself()));
}

/** Remove the environments that are not current and that no living process uses: older ones, and unfinished ones. */
export async function sweep(storage: string): Promise<void> {
  const parent = environmentsFolder(storage);
  const entries = await readdir(parent, { withFileTypes: true }).catch(() => []);
  const used = await usedFolders(
    parent,
    entries.map(({ name }) => name),
  );
  const current = (await readCurrent(storage))?.folder;
  for (const entry of entries) {
    if (entry.isDirectory() && entry.name !== current && !used.has(entry.name)) {
      await removed(path.join(parent, entry.name));
    }
  }
  const former = path.join(storage, FORMER);
  if (current !== undefined && !used.has(FORMER)) {
    await removed(former);
  }
}

/** The names of the folders with a lease of a living process. Other leases are removed. */
async function usedFolders(parent: string, names: readonly string[]): Promise<ReadonlySet<string>> {
  const used = new Set<string>();
  for (const name of names) {
    const folder = LEASE.exec(name)?.[1];
    if (folder !== undefined) {
      const file = path.join(parent, name);
      if (isAlive(await readHolder(file))) {
        used.add(folder);
      } else {
        await rm(file, { force: true });
      }
    }
  }
  return used;
}

/** Remove a folder, under another name first, so that one that is half removed is never taken for whole. */
async function removed(folder: string): Promise<void> {
  const dying = folder.endsWith(".removed") ? folder : `${folder}.removed`;
  try {
    await rename(folder, dying);
  } catch {
    return; // it does not exist, or Windows has a file of it open: the next sweep tries again
  }
  await rm(dying, { recursive: true, force: true }).catch(() => undefined);
}

async function readCurrent(storage: string): Promise<Environment | undefined> {
  try {
    const said = JSON.parse(await readFile(currentFile(storage), "utf8")) as Record<string, unknown>;
    const { folder, version } = said;
    if (typeof folder === "string" && folder !== "" && folder === path.basename(folder)) {
      return { folder, version: typeof version === "string" ? version : "" };
    }
  } catch {
    // there is none yet, or it is damaged
  }
  return undefined;
}
