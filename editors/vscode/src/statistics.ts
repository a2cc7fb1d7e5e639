/** A document that shows the statistics that the server keeps on this machine. */
import * as vscode from "vscode";
import { LOG, UPDATE } from "./core/actions";
import { lastWords, type Ended } from "./core/program";
import { TERMINAL_ENV } from "./core/selfTestProgress";
import { runCommand } from "./runCommand";
import { sayError } from "./say";
import type { Session } from "./session";

const SCHEME = "copilot-server-statistics";
const DOCUMENT = vscode.Uri.from({ scheme: SCHEME, path: "Copilot Server Statistics" });

export class Statistics implements vscode.Disposable, vscode.TextDocumentContentProvider {
  private content = "";
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  private readonly registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);

  readonly onDidChange = this.changed.event;

  constructor(private readonly session: Session) {}

  provideTextDocumentContent(): string {
    return this.content;
  }

  /** Show the current statistics. */
  async show(): Promise<void> {
    const env = { ...process.env, COLUMNS: TERMINAL_ENV.COLUMNS, PYTHONIOENCODING: "utf-8", NO_COLOR: "1" };
    const ended = await runCommand(this.session, "reading the statistics", ["stats"], env);
    if (ended === undefined) {
      return;
    }
    if (ended.code !== 0) {
      this.session.log.error(`copilot-server stats: ${ended.stderr}`);
      showFailure(ended);
      return;
    }
    this.content = ended.stdout;
    this.changed.fire(DOCUMENT);
    await vscode.window.showTextDocument(DOCUMENT, { preview: true });
  }

  dispose(): void {
    this.registration.dispose();
    this.changed.dispose();
  }
}

function showFailure(ended: Ended): void {
  if (ended.stderr.includes("No such command")) {
    sayError("There are no statistics: this server is too old to keep any.", UPDATE);
  } else {
    sayError(`There are no statistics: ${lastWords(ended)}`, LOG);
  }
}
