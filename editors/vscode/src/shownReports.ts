/**
 * Reporting to the server which suggestions were on the screen. VS Code tells no extension: its
 * `handleDidShowCompletionItem` is a proposed interface. So this is inferred, from what VS Code does with an answer.
 */
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import { continues, idOf, isVisible } from "./core/shown";

/** How long a suggestion stands before it counts as shown, as in the server's own statistics. */
const SEEN_AFTER_MS = 250;

interface Shown {
  readonly uri: string;
  readonly text: string;
  readonly since_ms: number;
}

export class ShownReports implements vscode.Disposable {
  private timer: NodeJS.Timeout | undefined;
  private last: Shown | undefined;

  /** Take an answer that VS Code gets; report its first item if it stands for long enough. */
  offered(
    client: LanguageClient,
    document: vscode.TextDocument,
    position: vscode.Position,
    selected: vscode.SelectedCompletionInfo | undefined,
    items: readonly vscode.InlineCompletionItem[],
  ): void {
    clearTimeout(this.timer);
    const item = items.find((one) => isVisible(plain(one), selected));
    const id = item && idOf(item.command?.arguments);
    if (item === undefined || id === undefined) {
      this.last = undefined;
      return;
    }
    const shown = this.follow(document.uri.toString(), plain(item).text);
    this.last = shown;
    const { version } = document;
    const wait_ms = Math.max(0, shown.since_ms + SEEN_AFTER_MS - performance.now());
    this.timer = setTimeout(() => {
      if (stands(document, version, position)) {
        void client
          .sendNotification("textDocument/didShowCompletion", {
            item: { command: { arguments: [id] } },
          })
          .catch(() => undefined); // the server has ended
      }
    }, wait_ms);
  }

  dispose(): void {
    clearTimeout(this.timer);
  }

  /** The suggestion that is shown from now on, or since before if it is the rest of the last one. */
  private follow(uri: string, text: string): Shown {
    const { last } = this;
    const before = last?.uri === uri && continues(last.text, text) ? last : undefined;
    return { uri, text, since_ms: before?.since_ms ?? performance.now() };
  }
}

function plain({ insertText, range }: vscode.InlineCompletionItem): {
  readonly text: string;
  readonly range: vscode.Range | undefined;
} {
  return { text: typeof insertText === "string" ? insertText : insertText.value, range };
}

/** Whether the editor is still where the suggestion was given. */
function stands(document: vscode.TextDocument, version: number, position: vscode.Position): boolean {
  const editor = vscode.window.activeTextEditor;
  return (
    editor?.document === document &&
    document.version === version &&
    editor.selections.length === 1 &&
    editor.selection.isEmpty &&
    editor.selection.active.isEqual(position)
  );
}
