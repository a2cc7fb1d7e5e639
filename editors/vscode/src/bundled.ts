/** The server that comes with the extension. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import * as vscode from "vscode";
import { text } from "./configuration";
import { hasGpu } from "./core/hardware";
import type { Source } from "./core/install";

/** What the setting names, or else the server that comes with the extension. */
export function sourceOf(context: vscode.ExtensionContext, torch = gpuHere()): Source {
  const name = text("installSource");
  return name === "" ? bundled(context, torch) : { kind: "unchecked", name };
}

export function gpuHere(): boolean {
  return hasGpu(process.platform, process.arch);
}

/** A lock file with uv, which an older Python can install. */
export function uvLock(context: vscode.ExtensionContext): string {
  return path.join(folderOf(context), "uv.lock");
}

function bundled(context: vscode.ExtensionContext, torch: boolean): Source {
  const folder = folderOf(context);
  const archives = readdirSync(folder).filter((name) => /\.(whl|tar\.gz)$/.test(name));
  return {
    kind: "bundled",
    archives: archives.map((name) => path.join(folder, name)),
    lock: path.join(folder, torch ? "requirements.lock" : "requirements-without-torch.lock"),
    ...sizesOf(folder, torch),
  };
}

/** What the script that makes the lock file has measured for this system, if it has. */
function sizesOf(folder: string, torch: boolean): { download_bytes?: number; disk_bytes?: number } {
  const sizes = JSON.parse(readFileSync(path.join(folder, "sizes.json"), "utf8")) as Record<
    string,
    Record<string, { download_bytes: number; disk_bytes: number }>
  >;
  return sizes[`${process.platform}-${process.arch}`]?.[torch ? "with torch" : "without torch"] ?? {};
}

function folderOf(context: vscode.ExtensionContext): string {
  return vscode.Uri.joinPath(context.extensionUri, "server").fsPath;
}
