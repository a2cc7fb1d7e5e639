/** The walkthrough, shown by itself the first time only. */
import type * as vscode from "vscode";
import { commands } from "vscode";

const WELCOMED = "welcomed";

export function openWalkthrough(context: vscode.ExtensionContext): Thenable<unknown> {
  return commands.executeCommand("workbench.action.openWalkthrough", `${context.extension.id}#start`, false);
}

export function welcomeOnce(context: vscode.ExtensionContext): void {
  if (context.globalState.get(WELCOMED) === undefined) {
    void context.globalState.update(WELCOMED, true);
    void openWalkthrough(context);
  }
}
