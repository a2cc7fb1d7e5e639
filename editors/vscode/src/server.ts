/** The server's program. */
import { homedir } from "node:os";
import { unwatchFile, watchFile } from "node:fs";
import * as vscode from "vscode";
import { sourceOf } from "./bundled";
import { text } from "./configuration";
import { consentSummary } from "./core/consent";
import { currentEnvironment, currentFile, use } from "./core/environments";
import { findServer, type Found, type Locations, type Places } from "./core/locate";
import { isProgram } from "./core/program";

/** How often a window looks whether another has installed a server. */
const LOOK_MS = 1000;

/** Find the server's program; undefined if there is none. */
export async function locateServer(context: vscode.ExtensionContext): Promise<Found | undefined> {
  const storage = context.globalStorageUri.fsPath;
  const { folder } = await currentEnvironment(storage);
  const found = await findServer(locations(folder), isProgram);
  if (found?.origin === "own environment") {
    // If that cannot be noted, the environment may be removed after a newer one has been installed.
    await use(storage, folder).catch(() => undefined);
  }
  return found;
}

/** Call `onInstalled` when a window, also another one, has installed a server. */
export function watchInstallations(
  context: vscode.ExtensionContext,
  onInstalled: () => void,
): vscode.Disposable {
  const file = currentFile(context.globalStorageUri.fsPath);
  const look = (): void => {
    onInstalled();
  };
  watchFile(file, { interval: LOOK_MS, persistent: false }, look);
  return new vscode.Disposable(() => {
    unwatchFile(file, look);
  });
}

/** The message for a user without a server. */
export function missingMessage(context: vscode.ExtensionContext): string {
  const configured = text("serverPath");
  return configured === ""
    ? `The program copilot-server is not on this machine yet. To install it, ${consentSummary(sourceOf(context))}`
    : `The setting copilot-server.serverPath names ${configured}, which is not a program that can be run.`;
}

/** What paths and names of programs mean here. */
export function places(): Places {
  return { platform: process.platform, home: homedir(), searchPath: process.env["PATH"] ?? "" };
}

function locations(ownVenv: string): Locations {
  const folders = vscode.workspace.isTrusted ? (vscode.workspace.workspaceFolders ?? []) : [];
  return {
    ...places(),
    configured: text("serverPath"),
    ownVenv,
    trustedFolders: folders.filter(({ uri }) => uri.scheme === "file").map(({ uri }) => uri.fsPath),
  };
}
