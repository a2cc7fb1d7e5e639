/** Showing why an installation failed, with what the user can do about it as buttons. */
import * as vscode from "vscode";
import { SECTION } from "./configuration";
import { InstallError, RETRY, type Remedy } from "./core/failures";
import { withoutLinks } from "./core/messages";

const SHOW_LOG = "Show Log";

/** Show the failure; `retry` is called if the user wants to try again. */
export async function showFailure(
  log: vscode.LogOutputChannel,
  error: unknown,
  retry: () => Promise<void>,
): Promise<void> {
  const message = error instanceof InstallError ? error.message : String(error);
  log.error(message);
  const remedies = error instanceof InstallError ? error.remedies : [RETRY];
  const titles = [...remedies.map(titleOf), SHOW_LOG];
  const chosen = await vscode.window.showErrorMessage(withoutLinks(`Copilot Server: ${message}`), ...titles);
  if (chosen === SHOW_LOG) {
    log.show();
  }
  const remedy = remedies.find((one) => titleOf(one) === chosen);
  if (remedy !== undefined) {
    await apply(remedy, retry);
  }
}

function titleOf(remedy: Remedy): string {
  switch (remedy.kind) {
    case "retry":
      return "Try Again";
    case "choosePython":
      return "Choose Python…";
    case "settings":
      return "Open Setting";
    case "copy":
      return "Copy Command";
    case "open":
      return remedy.title;
  }
}

async function apply(remedy: Remedy, retry: () => Promise<void>): Promise<void> {
  switch (remedy.kind) {
    case "retry":
      await retry();
      break;
    case "choosePython":
      if (await choosePython()) {
        await retry();
      }
      break;
    case "settings":
      await vscode.commands.executeCommand("workbench.action.openSettings", remedy.query);
      break;
    case "copy":
      await vscode.env.clipboard.writeText(remedy.text);
      break;
    case "open":
      await vscode.env.openExternal(vscode.Uri.parse(remedy.url));
      break;
  }
}

/** Let the user choose a Python, for the setting; whether they did. */
async function choosePython(): Promise<boolean> {
  const chosen = await vscode.window.showOpenDialog({ title: "A Python to install the server with" });
  const file = chosen?.[0];
  if (file === undefined) {
    return false;
  }
  const settings = vscode.workspace.getConfiguration(SECTION);
  await settings.update("pythonPath", file.fsPath, vscode.ConfigurationTarget.Global);
  return true;
}
