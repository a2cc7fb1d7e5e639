/** The walkthrough, which is shown without a request only once. */
import { setTimeout } from "node:timers/promises";
import * as vscode from "vscode";

const WELCOMED = "welcomed";
const OPEN = "Open Walkthrough";
/** How long VS Code may take to register an extension's walkthrough after it has opened any walkthrough. */
const KNOWN_AFTER_MS = 1000;

/**
 * Open it. The first time in a window VS Code may know only its own walkthrough and open that one.
 * The second call then opens ours, and does nothing if ours is open.
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

/** Open it, or only offer to if opening it would take the focus from a user who is writing. */
async function welcome(context: vscode.ExtensionContext): Promise<void> {
  if (vscode.window.activeTextEditor !== undefined) {
    const message = "Copilot Server suggests code as you write, from a model of your own.";
    if ((await vscode.window.showInformationMessage(message, OPEN)) !== OPEN) {
      return;
    }
  }
  await openWalkthrough(context);
}
