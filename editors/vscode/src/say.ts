/** What the user is told: messages with buttons, and short ones. */
import * as vscode from "vscode";
import type { Action } from "./core/actions";
import { withoutLinks } from "./core/messages";

/** One of VS Code's functions that show a message. */
type Show = (message: string, ...titles: string[]) => Thenable<string | undefined>;

/** How long a short message stays. */
const BRIEF_MS = 5000;

/** Show an error with what may be done about it. */
export function sayError(message: string, ...actions: readonly Action[]): void {
  void say(vscode.window.showErrorMessage, message, actions);
}

/** Show a warning with what may be done about it. */
export function sayWarning(message: string, ...actions: readonly Action[]): void {
  void say(vscode.window.showWarningMessage, message, actions);
}

/** Show a message with what may be done; resolves when the user has answered, and what they chose has been done. */
export function ask(message: string, ...actions: readonly Action[]): Promise<void> {
  return say(vscode.window.showInformationMessage, message, actions);
}

/** Show a short message in the status bar to a user who has just pressed a key. */
export function sayBriefly(message: string, until?: Promise<unknown>): void {
  const shown = `Copilot Server: ${message.replaceAll("$(", "$\u200b(")}`; // no icons of a model's author
  if (until === undefined) {
    vscode.window.setStatusBarMessage(shown, BRIEF_MS);
  } else {
    vscode.window.setStatusBarMessage(shown, until);
  }
}

async function say(show: Show, message: string, actions: readonly Action[]): Promise<void> {
  const titles = actions.map(({ title }) => title);
  const chosen = await show(`Copilot Server: ${withoutLinks(message)}`, ...titles);
  const action = actions.find(({ title }) => title === chosen);
  if (action !== undefined) {
    await vscode.commands.executeCommand(action.command, ...(action.args ?? []));
  }
}
