/** Starting and stopping the extension. */
import * as vscode from "vscode";
import { registerCommands } from "./commands";
import { sweep } from "./core/environments";
import { CursorReports } from "./cursorReports";
import { endInstallation } from "./installCommand";
import { Session } from "./session";
import { StatusItem } from "./statusItem";
import { Walkthrough } from "./walkthrough";

let session: Session | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("Copilot Server", { log: true });
  session = new Session(context, log);
  const walkthrough = new Walkthrough(context);
  const commands = registerCommands(context, session, walkthrough);
  context.subscriptions.push(log, session, new StatusItem(session), new CursorReports(session), commands);
  session.watch();
  void sweep(session.folder);
  void walkthrough.offerOnce();
}

/** VS Code waits for the promise, so that no server and no pip outlives its window. */
export async function deactivate(): Promise<void> {
  await Promise.all([session?.stop(), endInstallation()]);
}
