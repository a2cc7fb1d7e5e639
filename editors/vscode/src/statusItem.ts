/** The item in the status bar. */
import * as vscode from "vscode";
import { SECTION, switches } from "./configuration";
import { statusView, type StatusView } from "./core/status";
import { reached } from "./core/milestones";
import type { Session } from "./session";

/** Most answers come sooner than this, so that the icon does not flicker at each key. */
const THINKING_AFTER_MS = 150;

export class StatusItem implements vscode.Disposable {
  private readonly item: vscode.StatusBarItem;
  private readonly watches: vscode.Disposable;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly session: Session) {
    this.item = vscode.window.createStatusBarItem("status", vscode.StatusBarAlignment.Right, 100);
    this.item.name = "Copilot Server";
    this.item.command = "copilot-server.menu";
    const update = (): void => {
      this.update();
    };
    this.watches = vscode.Disposable.from(
      session.onDidChangePhase(update),
      vscode.window.onDidChangeActiveTextEditor(update),
      vscode.workspace.onDidOpenTextDocument(update), // also when its language changes
      vscode.workspace.onDidChangeConfiguration(update),
    );
    this.update();
    this.item.show();
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.watches.dispose();
    this.item.dispose();
  }

  private update(): void {
    clearTimeout(this.timer);
    const { phase } = this.session;
    const isThinking = phase.kind === "running" && phase.status.state === "thinking";
    if (isThinking) {
      this.timer = setTimeout(() => {
        this.show();
      }, THINKING_AFTER_MS);
    } else {
      this.show();
    }
  }

  private show(): void {
    const { phase } = this.session;
    const now = switches(vscode.window.activeTextEditor?.document);
    const view = statusView(phase, now);
    this.item.text = view.text;
    this.item.tooltip = tooltip(view);
    this.item.backgroundColor = background(view);
    const lines = [view.summary, view.remedy, view.privacy, view.choice].filter(Boolean);
    this.item.accessibilityInformation = { label: lines.map((one) => one.replace(/\.$/, "")).join(". ") };
    void vscode.commands.executeCommand("setContext", `${SECTION}.on`, now.enabled);
    if (phase.kind === "running") {
      reached("found");
    }
  }
}

function tooltip(view: StatusView): vscode.MarkdownString {
  const shown = new vscode.MarkdownString("", true);
  shown.appendText(view.summary); // appendText escapes the text, which may have an untrusted model's name
  for (const more of [view.remedy, view.privacy, view.choice]) {
    if (more !== "") {
      shown.appendText(`\n\n${more}`);
    }
  }
  return shown;
}

function background(view: StatusView): vscode.ThemeColor | undefined {
  return view.severity === "normal"
    ? undefined
    : new vscode.ThemeColor(`statusBarItem.${view.severity}Background`);
}
