/** Having no suggestions for a while. */
import * as vscode from "vscode";
import { UPDATE } from "./core/actions";
import { reasonOf } from "./core/status";
import { sayBriefly, sayError } from "./say";
import type { Session } from "./session";

const MINUTES = [5, 15, 30, 60, 120];
const MINUTE_MS = 60_000;

export class Snooze implements vscode.Disposable {
  private until_ms: number | undefined;
  private isRunning = false;
  private readonly watch: vscode.Disposable;

  constructor(private readonly session: Session) {
    this.watch = session.onDidChangePhase((phase) => {
      const hasStarted = phase.kind === "running" && !this.isRunning;
      this.isRunning = phase.kind === "running";
      if (phase.kind === "idle") {
        this.until_ms = undefined; // the user has turned suggestions off, and means it when they are turned on
      } else if (hasStarted && this.until_ms !== undefined && this.until_ms > Date.now()) {
        void this.send((this.until_ms - Date.now()) / MINUTE_MS); // a new server knows nothing of it
      } else if (phase.kind === "running" && reasonOf(phase) !== "snoozed" && this.isOver()) {
        this.until_ms = undefined;
      }
    });
  }

  dispose(): void {
    this.watch.dispose();
  }

  /** Ask for how long, and snooze. */
  async choose(): Promise<void> {
    const rows = MINUTES.map((minutes) => ({ label: described(minutes), minutes }));
    const chosen = await vscode.window.showQuickPick(rows, {
      title: "Copilot Server: no suggestions for",
      placeHolder: "A key still asks for one.",
    });
    if (chosen !== undefined) {
      await this.set(chosen.minutes);
    }
  }

  /** End it. */
  async resume(): Promise<void> {
    await this.set(0);
  }

  private async set(minutes: number): Promise<void> {
    this.until_ms = minutes === 0 ? undefined : Date.now() + minutes * MINUTE_MS;
    if (!(await this.send(minutes))) {
      this.until_ms = undefined;
    } else if (minutes > 0) {
      sayBriefly(`No suggestions for ${described(minutes)}.`);
      await vscode.commands.executeCommand("editor.action.inlineSuggest.hide"); // also the visible one
    } else {
      sayBriefly("Suggestions are back.");
    }
  }

  /** Send it; whether the server has taken it. */
  private async send(minutes: number): Promise<boolean> {
    const client = this.session.running;
    if (client === undefined) {
      sayBriefly("The server is not running, so there is nothing to snooze.");
      return false;
    }
    try {
      await client.sendRequest("copilotServer/snooze", { minutes });
      return true;
    } catch (error) {
      this.session.log.error(`copilotServer/snooze: ${String(error)}`);
      sayError("This server cannot snooze. A newer one can.", UPDATE);
      return false;
    }
  }

  private isOver(): boolean {
    return this.until_ms !== undefined && this.until_ms <= Date.now();
  }
}

function described(minutes: number): string {
  return minutes < 60 ? `${minutes} minutes` : minutes === 60 ? "an hour" : `${minutes / 60} hours`;
}
