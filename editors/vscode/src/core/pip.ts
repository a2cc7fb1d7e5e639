/** Why pip failed. */
import { CHOOSE_PYTHON, GET_UV, InstallError, NotAsLockedError, RETRY } from "./failures";

export interface Circumstances {
  /** What was installed without hashes; undefined if it was installed by them. */
  readonly name: string | undefined;
  /** The output of `pip config list`. */
  readonly configuration: string;
  /** The version of the Python that pip installs for. */
  readonly python: readonly [number, number];
  /** Where it installs. */
  readonly folder: string;
}

/** The versions of Python that the locked libraries have wheels for. */
export const OLDEST: readonly [number, number] = [3, 11];
export const NEWEST: readonly [number, number] = [3, 14];

/** Settings of pip with which it may find other files than those of PyPI, or may not take these versions. */
const OWN = /^[^=\n]*\.((?:extra-)?index-url|find-links|no-index|constraint|no-binary|only-binary)=/m;
const DISK =
  /No space left on device|\[Errno 28\]|not enough space on the disk|WinError 112|Disk quota exceeded/;
const PERMISSION = /Permission denied|\[Errno 13\]|WinError 5\b|Read-only file system/;
const PROXY = /ProxyError|Tunnel connection failed|Cannot connect to proxy|407 Proxy Auth/;
const CERTIFICATE = /SSLError|SSLCertVerificationError|CERTIFICATE_VERIFY_FAILED|certificate verify failed/;
const OFFLINE =
  /Retrying \(|NewConnectionError|ConnectTimeout|ReadTimeout|Read timed out|NameResolutionError|ConnectionError|ProtocolError|Connection aborted|Failed to establish a new connection/;
const WRONG_HASH = "DO NOT MATCH THE HASHES";
const NO_FILE = /No matching distribution found|Could not find a version/;
/** pip lists the versions that an index has, so the index did answer. */
const ANSWERED = /\(from versions: (?!none\))/;
const OTHER_PYTHON = /requires a different Python|require a different python version/i;
/** A constraint of the user's contradicts the lock file, or a file of an index depends on more than is in it. */
const CONTRADICTED =
  /ResolutionImpossible|conflicting dependencies|In --require-hashes mode|Hashes are required/;

/** The error for what pip wrote when it failed. */
export function pipFailure(output: string, circumstances: Circumstances): InstallError {
  const said = lastError(output);
  return (
    machineFailure(output, circumstances.folder) ??
    hashFailure(output, circumstances) ??
    connectionFailure(output, circumstances.configuration, said) ??
    missingFailure(output, circumstances, said) ??
    new InstallError(
      "other",
      `pip could not install ${circumstances.name ?? "what the server needs"}: ${said}`,
    )
  );
}

function machineFailure(output: string, folder: string): InstallError | undefined {
  if (DISK.test(output)) {
    return new InstallError(
      "disk",
      `There is no space left on the disk of ${folder}. Make room, and try again.`,
    );
  }
  if (PERMISSION.test(output) && !NO_FILE.test(output)) {
    return new InstallError("permission", `pip may not write to ${folder}: ${lastError(output)}`);
  }
  return undefined;
}

function hashFailure(output: string, { configuration }: Circumstances): InstallError | undefined {
  if (!output.includes(WRONG_HASH)) {
    return undefined;
  }
  const own = OWN.exec(configuration)?.[1];
  if (own !== undefined) {
    return notAsLocked(own, lastError(output));
  }
  const what = /^\s+(\S+==\S+)/m.exec(output.slice(output.indexOf(WRONG_HASH)))?.[1] ?? "A package";
  return new InstallError(
    "hash",
    `${what} is not the file that this version of the extension knows: its hash differs. ` +
      "It may have been damaged on its way, or replaced. Nothing of it was installed.",
  );
}

function connectionFailure(output: string, configuration: string, said: string): InstallError | undefined {
  const index = indexOf(configuration);
  if (ANSWERED.test(output)) {
    return undefined;
  }
  if (PROXY.test(output)) {
    const remedies = [{ kind: "settings", query: "http.proxy" }, RETRY] as const;
    return new InstallError("proxy", `pip could not reach ${index} through the proxy: ${said}`, remedies);
  }
  if (CERTIFICATE.test(output)) {
    const text = "pip config set global.cert ";
    const message =
      `pip does not trust the certificate of ${index}. If a company's proxy opens connections, name the file with ` +
      `its certificate: ${text}FILE`;
    return new InstallError("certificate", message, [{ kind: "copy", text }, RETRY]);
  }
  return OFFLINE.test(output)
    ? new InstallError("offline", `pip could not reach ${index}. Is this machine online? ${said}`)
    : undefined;
}

/** The index has no file that fits: because of the Python, or because it does not have it at all. */
function missingFailure(
  output: string,
  circumstances: Circumstances,
  said: string,
): InstallError | undefined {
  const { name, configuration, python } = circumstances;
  const isMissing = NO_FILE.test(output);
  if ((isMissing || OTHER_PYTHON.test(output)) && (isTooNew(python) || OTHER_PYTHON.test(output))) {
    return wrongPython(python, said);
  }
  if (name !== undefined) {
    return isMissing
      ? new InstallError("index", notFound(name, indexOf(configuration)), NAME_ANOTHER)
      : undefined;
  }
  const own = OWN.exec(configuration)?.[1];
  if (own !== undefined && (isMissing || CONTRADICTED.test(output))) {
    return notAsLocked(own, said);
  }
  return isMissing ? new NotAsLockedError(`There is no file for this system: ${said}`) : undefined;
}

const NAME_ANOTHER = [{ kind: "settings", query: "copilot-server.installSource" }, RETRY] as const;

/** The error for a Python that the libraries are not made for. */
export function wrongPython([major, minor]: readonly [number, number], said: string): InstallError {
  const how = isTooNew([major, minor]) ? "new" : "old";
  return new InstallError(
    "python",
    `Python ${major}.${minor} is too ${how} for the server's libraries, which need Python ${OLDEST.join(".")} to ` +
      `${NEWEST.join(".")}. ${said}`.trim(),
    [CHOOSE_PYTHON, GET_UV],
  );
}

/** Whether there are no wheels for a Python yet. */
export function isTooNew([major, minor]: readonly [number, number]): boolean {
  return major > NEWEST[0] || (major === NEWEST[0] && minor > NEWEST[1]);
}

function notAsLocked(own: string, said: string): NotAsLockedError {
  return new NotAsLockedError(
    `pip is configured with ${own} on this machine, and could not install the files that this version of ` +
      `the extension knows: ${said}`,
  );
}

function notFound(name: string, index: string): string {
  return (
    `pip has reached ${index}, which has no ${name} that fits. If you have a clone of copilot-server or a wheel of ` +
    "it, name it in the setting copilot-server.installSource; if that is empty, the server that comes with " +
    "the extension is installed."
  );
}

/** The host of the index that pip is configured with; the rest of its address may have a password in it. */
function indexOf(configuration: string): string {
  if (/^[^=\n]*\.no-index=/m.test(configuration)) {
    return "the folders that it is configured with";
  }
  const url = /^[^=\n]*\.index-url='([^'\n]*)'/m.exec(configuration)?.[1];
  return url !== undefined && URL.canParse(url) ? new URL(url).host || "its own index" : "PyPI";
}

function lastError(output: string): string {
  const lines = output.split(/\r?\n/).filter((line) => line.trim() !== "");
  const errors = lines.filter((line) => line.startsWith("ERROR:"));
  return errors.at(-1)?.slice("ERROR:".length).trim() ?? lines.slice(-3).join("\n");
}
