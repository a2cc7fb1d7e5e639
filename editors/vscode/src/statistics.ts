/** A document that shows the statistics that the server keeps on this machine. */
import * as vscode from "vscode";
import { withoutLinks } from "./core/messages";
import { lastWords, run } from "./core/program";
import { TERMINAL_ENV } from "./core/selfTestProgress";
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
    const found = await this.session.program();
    if (found === undefined) {
      return;
    }
    const env = { ...process.env, COLUMNS: TERMINAL_ENV.COLUMNS, PYTHONIOENCODING: "utf-8", NO_COLOR: "1" };
    const ended = await run(found.program, ["stats"], {
      cwd: this.session.folder,
      env,
      timeout_s: 60,
    });
    if (ended.code !== 0) {
      this.session.log.error(`copilot-server stats: ${ended.stderr}`);
      const message = withoutLinks(`Copilot Server: there are no statistics: ${complaint(ended)}`);
      void vscode.window.showErrorMessage(message);
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

function complaint(ended: Awaited<ReturnType<typeof run>>): string {
  return ended.stderr.includes("No such command")
    ? "this server is too old to keep any. Update it with Copilot Server: Install or Update Server."
    : lastWords(ended);
}
