/** Why pip failed, and what the user can do about it. */
import { InstallError } from "./python";

/**
 * The files with the hashes of the lock file cannot be had here, for an honest reason: an index of the user's own
 * serves builds of its own, or there are none for this system. The message says why; the user may go without.
 */
export class NotAsLockedError extends InstallError {
  override name = "NotAsLockedError";
}

export interface Circumstances {
  /** What was installed without hashes; undefined if it was installed by them. */
  readonly name: string | undefined;
  /** The output of `pip config list`. */
  readonly configuration: string;
}

/** Settings of pip with which it may find other files than those of PyPI, or may not take these versions. */
const OWN = /^[^=\n]*\.((?:extra-)?index-url|find-links|no-index|constraint|no-binary|only-binary)=/m;
const OFFLINE = /Retrying \(|NewConnectionError|ConnectTimeout|NameResolutionError|ProxyError|SSLError/;
const WRONG_HASH = "DO NOT MATCH THE HASHES";
const NO_FILE = /No matching distribution found|Could not find a version/;
/** A constraint of the user's contradicts the lock file, or a file of an index depends on more than is in it. */
const CONTRADICTED =
  /ResolutionImpossible|conflicting dependencies|In --require-hashes mode|Hashes are required/;

/** The error for what pip wrote when it failed. */
export function pipFailure(output: string, { name, configuration }: Circumstances): InstallError {
  const said = lastError(output);
  if (name !== undefined) {
    return new InstallError(uncheckedFailure(output, name, said));
  }
  const hasWrongHash = output.includes(WRONG_HASH);
  const own = OWN.exec(configuration)?.[1];
  if (OFFLINE.test(output)) {
    return new InstallError(`pip could not reach its index: ${said}`);
  }
  if (own !== undefined && (hasWrongHash || NO_FILE.test(output) || CONTRADICTED.test(output))) {
    return new NotAsLockedError(
      `pip is configured with ${own} on this machine, and could not install the files that this version of ` +
        `the extension knows: ${said}`,
    );
  }
  if (hasWrongHash) {
    const what = /^\s+(\S+==\S+)/m.exec(output.slice(output.indexOf(WRONG_HASH)))?.[1] ?? "A package";
    return new InstallError(
      `${what} is not the file that this version of the extension knows: its hash differs. ` +
        "It may have been damaged on its way, or replaced. Nothing of it was installed.",
    );
  }
  return NO_FILE.test(output)
    ? new NotAsLockedError(`There is no file for this system or this Python: ${said}`)
    : new InstallError(`pip could not install what the server needs: ${said}`);
}

function uncheckedFailure(output: string, name: string, said: string): string {
  if (NO_FILE.test(output)) {
    return (
      `pip found no ${name} to install. If you have a clone of copilot-server or a wheel of it, ` +
      "name it in the setting copilot-server.installSource; if that is empty, the server that comes with " +
      "the extension is installed."
    );
  }
  return `pip could not install ${name}: ${said}`;
}

function lastError(output: string): string {
  const lines = output.split(/\r?\n/).filter((line) => line.trim() !== "");
  const errors = lines.filter((line) => line.startsWith("ERROR:"));
  return errors.at(-1)?.slice("ERROR:".length).trim() ?? lines.slice(-3).join("\n");
}
