/** Why an installation fails, and what the user can do about it. */

/** What a button offers. */
export type Remedy =
  | { readonly kind: "retry" }
  | { readonly kind: "choosePython" }
  | { readonly kind: "settings"; readonly query: string }
  | { readonly kind: "copy"; readonly text: string }
  | { readonly kind: "open"; readonly title: string; readonly url: string };

/** The true cause. */
export type Cause =
  | "cancelled"
  | "busy"
  | "offline"
  | "proxy"
  | "certificate"
  | "disk"
  | "permission"
  | "hash"
  | "index"
  | "python"
  | "venv"
  | "other";

/** An installation that failed; the message says why, and what to do. */
export class InstallError extends Error {
  override name = "InstallError";

  constructor(
    readonly reason: Cause,
    message: string,
    readonly remedies: readonly Remedy[] = [RETRY],
  ) {
    super(message);
  }
}

/**
 * The files with the hashes of the lock file cannot be had here, for an honest reason: an index of the user's own
 * serves builds of its own, or there are none for this system. The message says why; the user may go without.
 */
export class NotAsLockedError extends InstallError {
  override name = "NotAsLockedError";

  constructor(message: string) {
    super("index", message);
  }
}

export const RETRY: Remedy = { kind: "retry" };
export const CHOOSE_PYTHON: Remedy = { kind: "choosePython" };
export const GET_PYTHON: Remedy = {
  kind: "open",
  title: "Get Python",
  url: "https://www.python.org/downloads/",
};
export const GET_UV: Remedy = {
  kind: "open",
  title: "Get uv",
  url: "https://docs.astral.sh/uv/getting-started/installation/",
};

/** The error for a file or folder that could not be made. */
export function fileFailure(error: unknown, where: string): InstallError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new InstallError(
      "disk",
      `There is no space left on the disk of ${where}. Make room, and try again.`,
    );
  }
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
    return new InstallError(
      "permission",
      `${where} cannot be written to (${code}). Change that, and try again.`,
    );
  }
  return new InstallError("other", `${where} could not be made: ${message}`);
}
