/** The walkthrough, shown by itself the first time only. */
import { setTimeout } from "node:timers/promises";
import * as vscode from "vscode";

const WELCOMED = "welcomed";
const OPEN = "Open Walkthrough";
/** How long VS Code may take to learn of an extension's walkthrough, once it has opened any. */
const KNOWN_AFTER_MS = 1000;

/**
 * Open it. Where it is the first of the window, VS Code may know of none but its own, and open that;
 * asked again it opens ours, and does nothing where ours is open.
 */
export async function openWalkthrough(context: vscode.ExtensionContext): Promise<void> {
  const open = ["workbench.action.openWalkthrough", `${context.extension.id}#start`] as const;
  await vscode.commands.executeCommand(...open);
  await setTimeout(KNOWN_AFTER_MS);
  await vscode.commands.executeCommand(...open);
}

/** Show it once. */
export async function welcomeOnce(context: vscode.ExtensionContext): Promise<void> {
  if (context.globalState.get(WELCOMED) === undefined) {
    await context.globalState.update(WELCOMED, true);
    await welcome(context);
  }
}

/** Open it, or offer to, where opening would take the focus from a user who is writing. */
async function welcome(context: vscode.ExtensionContext): Promise<void> {
  if (vscode.window.activeTextEditor !== undefined) {
    const message = "Copilot Server suggests code as you write, from a model of your own.";
    if ((await vscode.window.showInformationMessage(message, OPEN)) !== OPEN) {
      return;
    }
  }
  await openWalkthrough(context);
}
