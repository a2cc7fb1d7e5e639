/** The walkthrough, which is offered once, and the steps that are done in it. */
import { setTimeout } from "node:timers/promises";
import * as vscode from "vscode";
import { SECTION } from "./configuration";
import { onReached, STEPS } from "./core/milestones";

const WELCOMED = "welcomed";
const OPEN = "Open Walkthrough";
const WALKTHROUGH = "start";
/** How long VS Code may take to register the extensions' walkthroughs once it has been asked for a step of one. */
const REGISTERED_AFTER_MS = 1000;

export class Walkthrough {
  private readonly registered: Promise<void>;

  /**
   * Have VS Code register the walkthrough, which it does only when it first needs one: a user's first VS Code would
   * show its own in place of ours until then. To ask for a step that does not exist changes nothing, and fails.
   */
  constructor(private readonly context: vscode.ExtensionContext) {
    this.registered = this.mark("Incomplete", "").then(() => setTimeout(REGISTERED_AFTER_MS));
    onReached((milestone) => {
      void vscode.commands.executeCommand("setContext", `${SECTION}.${milestone}`, true);
      void this.mark("Complete", STEPS[milestone]);
    });
  }

  /** Open it. */
  async open(): Promise<void> {
    await this.registered;
    await vscode.commands.executeCommand("workbench.action.openWalkthrough", this.id);
  }

  /** Offer it once. If it opened by itself, it would take the focus from a user who opens a file meanwhile. */
  async offerOnce(): Promise<void> {
    if (this.context.globalState.get(WELCOMED) !== undefined) {
      return;
    }
    await this.context.globalState.update(WELCOMED, true);
    const message = "Copilot Server suggests code as you write, from a model of your own.";
    if ((await vscode.window.showInformationMessage(message, OPEN)) === OPEN) {
      await this.open();
    }
  }

  private get id(): string {
    return `${this.context.extension.id}#${WALKTHROUGH}`;
  }

  /**
   * Mark a step. VS Code marks one itself when its context key changes, but misses what changed before it registered
   * the walkthrough. What this command marks holds even if it was too early, when it ends with an error.
   */
  private async mark(how: "Complete" | "Incomplete", step: string): Promise<void> {
    try {
      await vscode.commands.executeCommand(`welcome.markStep${how}`, `${this.id}#${step}`);
    } catch {
      // See above.
    }
  }
}
