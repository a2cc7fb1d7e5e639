/** The steps of the walkthrough, each of which is done when the user has done what it says. */
import * as vscode from "vscode";
import { SECTION } from "./configuration";

/** Each is the name of a context key in package.json's `completionEvents`. */
type Milestone = "found" | "accepted" | "compared" | "chosen" | "tested";

/** Mark a step as done. */
export function reached(milestone: Milestone): void {
  void vscode.commands.executeCommand("setContext", `${SECTION}.${milestone}`, true);
}
