/** Reporting the cursor and the focus to the server, which reads the code around it while nobody types. */
import * as vscode from "vscode";
import { isAnsweredIn } from "./configuration";
import type { Session } from "./session";

/** How long the cursor has to stay where it is. */
const REST_MS = 150;

export class CursorReports implements vscode.Disposable {
  private readonly watches: vscode.Disposable;
  private timer: NodeJS.Timeout | undefined;
  private isRunning = false;

  constructor(private readonly session: Session) {
    this.watches = vscode.Disposable.from(
      vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => {
        if (textEditor === vscode.window.activeTextEditor) {
          this.soon(REST_MS);
        }
      }),
      vscode.window.onDidChangeActiveTextEditor(() => {
        this.soon(0);
      }),
      session.onDidChangePhase(({ kind }) => {
        const hasStarted = kind === "running" && !this.isRunning;
        this.isRunning = kind === "running";
        if (hasStarted) {
          this.soon(0);
        }
      }),
    );
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.watches.dispose();
  }

  private soon(wait_ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.report();
    }, wait_ms);
  }

  private report(): void {
    const editor = vscode.window.activeTextEditor;
    const client = this.session.running;
    if (client === undefined) {
      return;
    }
    const convert = client.code2ProtocolConverter;
    const sending =
      editor === undefined || !isAnsweredIn(editor.document)
        ? client.sendNotification("textDocument/didFocus", {}) // of no document that the server has
        : client.sendNotification("copilotServer/didMoveCursor", {
            textDocument: convert.asTextDocumentIdentifier(editor.document),
            position: convert.asPosition(editor.selection.active),
          });
    void sending.catch(() => undefined); // the server has ended
  }
}
