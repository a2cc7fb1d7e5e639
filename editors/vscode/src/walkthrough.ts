/** The walkthrough, shown by itself the first time only. */
import * as vscode from "vscode";

const WELCOMED = "welcomed";
const OPEN = "Open Walkthrough";
/** VS Code learns of an extension's walkthroughs while it starts, and until then opens its own instead. */
const KNOWN_AFTER_MS = 3000;

export function openWalkthrough(context: vscode.ExtensionContext): Thenable<unknown> {
  return vscode.commands.executeCommand("workbench.action.openWalkthrough", `${context.extension.id}#start`);
}

/** Show it once. */
export function welcomeOnce(context: vscode.ExtensionContext): vscode.Disposable {
  if (context.globalState.get(WELCOMED) !== undefined) {
    return new vscode.Disposable(() => undefined);
  }
  const timer = setTimeout(() => {
    void context.globalState.update(WELCOMED, true);
    void welcome(context);
  }, KNOWN_AFTER_MS);
  return new vscode.Disposable(() => {
    clearTimeout(timer);
  });
}

/** Open it, or offer to where that would take the keys from somebody who is writing. */
async function welcome(context: vscode.ExtensionContext): Promise<void> {
  if (vscode.window.activeTextEditor !== undefined) {
    const message = "Copilot Server suggests code as you write, from a model on this machine.";
    if ((await vscode.window.showInformationMessage(message, OPEN)) !== OPEN) {
      return;
    }
  }
  await openWalkthrough(context);
}
