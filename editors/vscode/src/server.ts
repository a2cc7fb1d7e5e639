/** The server's program. */
import { homedir } from "node:os";
import path from "node:path";
import * as vscode from "vscode";
import { text } from "./configuration";
import { findServer, type Found, type Locations } from "./core/locate";
import { isProgram } from "./core/program";

/** The virtual environment that the extension creates for the server. */
export function ownVenv(context: vscode.ExtensionContext): string {
  return path.join(context.globalStorageUri.fsPath, "server");
}

/** Find the server's program; undefined if there is none. */
export function locateServer(context: vscode.ExtensionContext): Promise<Found | undefined> {
  return findServer(locations(context), isProgram);
}

/** The message for a user without a server. */
export function missingMessage(): string {
  const configured = text("serverPath");
  return configured === ""
    ? "The program copilot-server is not on this machine yet."
    : `The setting copilot-server.serverPath names ${configured}, which is not a program that can be run.`;
}

function locations(context: vscode.ExtensionContext): Locations {
  const folders = vscode.workspace.isTrusted ? (vscode.workspace.workspaceFolders ?? []) : [];
  return {
    platform: process.platform,
    home: homedir(),
    configured: text("serverPath"),
    searchPath: process.env["PATH"] ?? "",
    ownVenv: ownVenv(context),
    trustedFolders: folders.filter(({ uri }) => uri.scheme === "file").map(({ uri }) => uri.fsPath),
  };
}
