/** Several candidates side by side. */
import { randomBytes } from "node:crypto";
import * as vscode from "vscode";
import { ProgressType, type LanguageClient } from "vscode-languageclient/node";
import { canHaveSuggestions } from "./configuration";
import { readCandidates, withNew, type Candidate, type Span } from "./core/candidates";
import { readFromPage, type ToPage } from "./core/panelMessages";
import { panelPage } from "./core/panelPage";
import { serverFor } from "./explicit";
import { reached } from "./core/milestones";
import type { Session } from "./session";
import { showAnswer, whyNothing } from "./whyNothing";

const REQUEST = "textDocument/copilotPanelCompletion";
const PARTS = new ProgressType<unknown>();
const METHOD_NOT_FOUND = -32601;

/** A request: a position in a document at that time. */
interface Question {
  readonly document: vscode.TextDocument;
  readonly column: vscode.ViewColumn | undefined;
  readonly position: vscode.Position;
  readonly textBefore: string;
  readonly lineAfter: string;
}

export class CandidatePanel implements vscode.Disposable {
  private panel: vscode.WebviewPanel | undefined;
  private question: Question | undefined;
  private candidates: readonly Candidate[] = [];
  private asking: vscode.CancellationTokenSource | undefined;
  /** All messages since the last request, for a page that is still loading or reloads. */
  private sent: ToPage[] = [];
  private isPageReady = false;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly session: Session,
  ) {}

  /** Request candidates at the cursor. */
  async ask(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    if (editor === undefined || !canHaveSuggestions(editor.document)) {
      showAnswer({ message: "Put the cursor where the code should go first.", actions: [] });
      return;
    }
    await this.answer(questionAt(editor));
  }

  /** Request candidates in the document as it is now, at its cursor. */
  private async askAgain({ document, column, position }: Question): Promise<void> {
    const { visibleTextEditors } = vscode.window;
    const editors = visibleTextEditors.filter((one) => one.document === document);
    const editor = editors.find(({ viewColumn }) => viewColumn === column) ?? editors[0];
    const cursor = editor?.selection.active ?? document.validatePosition(position);
    await this.answer(questionOf(document, cursor, editor?.viewColumn ?? column));
  }

  dispose(): void {
    this.asking?.cancel();
    this.panel?.dispose();
  }

  private async answer(question: Question): Promise<void> {
    const client = await serverFor(this.session, question.document);
    if (client === undefined) {
      return;
    }
    this.asking?.cancel();
    const asking = new vscode.CancellationTokenSource();
    this.asking = asking;
    this.question = question;
    this.candidates = [];
    this.sent = [];
    this.open();
    const language = question.document.languageId;
    this.send({ kind: "start", where: whereOf(question), before: lineBefore(question), language });
    const message = await this.collect(client, question, asking.token);
    if (!asking.token.isCancellationRequested) {
      this.send({ kind: "end", message });
    }
  }

  /** Request candidates and show them as they come; returns the final message. */
  private async collect(
    client: LanguageClient,
    { document, position }: Question,
    cancelled: vscode.CancellationToken,
  ): Promise<string> {
    const token = randomBytes(16).toString("hex");
    const add = (value: unknown): void => {
      if (!cancelled.isCancellationRequested) {
        this.add(readCandidates(value, position));
      }
    };
    const parts = client.onProgress(PARTS, token, add);
    try {
      const params = {
        textDocument: client.code2ProtocolConverter.asVersionedTextDocumentIdentifier(document),
        position: client.code2ProtocolConverter.asPosition(position),
        partialResultToken: token,
      };
      add(await client.sendRequest(REQUEST, params, cancelled));
      if (this.candidates.length === 0) {
        return (await whyNothing(client, document)).message;
      }
      reached("compared");
      return "Press 1 to 9, or Enter, to accept.";
    } catch (error) {
      return failure(error);
    } finally {
      parts.dispose();
    }
  }

  private add(candidates: readonly Candidate[]): void {
    const all = withNew(this.candidates, candidates);
    for (const [index, { text, examples }] of all.entries()) {
      if (index >= this.candidates.length) {
        this.send({ kind: "candidate", index, text, examples });
      }
    }
    this.candidates = all;
  }

  private send(message: ToPage): void {
    this.sent.push(message);
    if (this.isPageReady) {
      void this.panel?.webview.postMessage(message);
    }
  }

  private receive(message: unknown): void {
    const said = readFromPage(message);
    if (said?.kind === "ready") {
      this.isPageReady = true;
      for (const one of this.sent) {
        void this.panel?.webview.postMessage(one);
      }
    } else if (said?.kind === "again" && this.question !== undefined) {
      void this.askAgain(this.question);
    } else if (said?.kind === "accept") {
      void this.accept(this.candidates[said.index]);
    }
  }

  private async accept(candidate: Candidate | undefined): Promise<void> {
    const { question } = this;
    if (candidate === undefined || question === undefined) {
      return;
    }
    if (!fits(question)) {
      this.send({
        kind: "end",
        message: "The document has changed since. Put the cursor where you want suggestions, and ask again.",
      });
      return;
    }
    const edit = new vscode.WorkspaceEdit();
    edit.replace(question.document.uri, rangeOf(candidate.span), candidate.text);
    if (!(await vscode.workspace.applyEdit(edit))) {
      this.send({ kind: "end", message: "The document cannot be changed." });
      return;
    }
    this.panel?.dispose();
    await showAfter(question, candidate);
    if (candidate.command !== undefined) {
      await vscode.commands.executeCommand(candidate.command.command, ...candidate.command.arguments);
    }
  }

  private open(): void {
    if (this.panel !== undefined) {
      this.panel.reveal();
      return;
    }
    const media = vscode.Uri.joinPath(this.context.extensionUri, "media");
    const dist = vscode.Uri.joinPath(this.context.extensionUri, "dist");
    const panel = vscode.window.createWebviewPanel(
      "copilot-server.panel",
      "Suggestions",
      vscode.ViewColumn.Beside,
      {
        enableScripts: true,
        localResourceRoots: [media, dist],
      },
    );
    this.panel = panel;
    this.isPageReady = false;
    panel.webview.onDidReceiveMessage((message: unknown) => {
      this.receive(message);
    });
    panel.onDidDispose(() => {
      this.asking?.cancel();
      this.panel = undefined;
      this.isPageReady = false;
    });
    panel.webview.html = panelPage({
      nonce: randomBytes(16).toString("base64url"),
      script: panel.webview.asWebviewUri(vscode.Uri.joinPath(dist, "panel.js")).toString(),
      style: panel.webview.asWebviewUri(vscode.Uri.joinPath(media, "panel.css")).toString(),
      source: panel.webview.cspSource,
    });
  }
}

function questionAt({ document, selection, viewColumn }: vscode.TextEditor): Question {
  return questionOf(document, selection.active, viewColumn);
}

function questionOf(
  document: vscode.TextDocument,
  position: vscode.Position,
  column: vscode.ViewColumn | undefined,
): Question {
  return {
    document,
    column,
    position,
    textBefore: textUpTo(document, position),
    lineAfter: document.lineAt(position).text.slice(position.character),
  };
}

/** Whether the candidates still fit the position that they were requested for. */
function fits({ document, position, textBefore, lineAfter }: Question): boolean {
  return (
    position.line < document.lineCount &&
    textUpTo(document, position) === textBefore &&
    document.lineAt(position).text.slice(position.character) === lineAfter
  );
}

function textUpTo(document: vscode.TextDocument, position: vscode.Position): string {
  return document.getText(new vscode.Range(new vscode.Position(0, 0), position));
}

function lineBefore({ textBefore }: Question): string {
  return textBefore.slice(textBefore.lastIndexOf("\n") + 1);
}

function whereOf({ document, position }: Question): string {
  return `${vscode.workspace.asRelativePath(document.uri)}, line ${position.line + 1}`;
}

function rangeOf({ start, end }: Span): vscode.Range {
  return new vscode.Range(start.line, start.character, end.line, end.character);
}

/** Return to the document, with the cursor after the inserted text. */
async function showAfter({ document, column }: Question, { span, text }: Candidate): Promise<void> {
  const start = new vscode.Position(span.start.line, span.start.character);
  const lines = text.split(/\r\n|\r|\n/);
  const last = lines.at(-1) ?? "";
  const cursor = new vscode.Position(
    start.line + lines.length - 1,
    lines.length === 1 ? start.character + last.length : last.length,
  );
  await vscode.window.showTextDocument(document, {
    selection: new vscode.Selection(cursor, cursor),
    ...(column === undefined ? {} : { viewColumn: column }),
  });
}

function failure(error: unknown): string {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  return code === METHOD_NOT_FOUND
    ? "This server is too old for the panel. Update it with Copilot Server: Install or Update Server."
    : `The model could not be asked: ${String(message)}`;
}
