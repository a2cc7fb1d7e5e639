/** The self-test, which runs in a separate process, and its report. */
import { mkdir, readdir, readFile } from "node:fs/promises";
import path from "node:path";
import * as vscode from "vscode";
import { reader } from "./configuration";
import { LOG } from "./core/actions";
import { lastWords, run } from "./core/program";
import { LineSplitter, readProgress, TERMINAL_ENV } from "./core/selfTestProgress";
import { selfTestFlags } from "./core/settings";
import { reached } from "./core/milestones";
import { sayError } from "./say";
import type { Session } from "./session";

const SIZES = [
  { label: "A quick look", description: "the first 20 problems", limit: 20 },
  { label: "The whole of HumanEval", description: "164 problems", limit: 164 },
] as const;
const OPEN_IN_BROWSER = "Open in Browser";

/** Ask how many problems to run, run them with a progress bar, and open the report. */
export async function runSelfTest(context: vscode.ExtensionContext, session: Session): Promise<void> {
  const found = await session.program();
  const size = found && (await vscode.window.showQuickPick(SIZES, { title: "Copilot Server: self-test" }));
  if (found === undefined || size === undefined) {
    return;
  }
  const folder = path.join(reportsFolder(context), new Date().toISOString().replaceAll(":", "-"));
  await mkdir(folder, { recursive: true });
  const score = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: "Self-test", cancellable: true },
    (progress, token) => tested(session, found.program, folder, size.limit, progress, token),
  );
  if (score !== undefined) {
    reached("tested");
    await openReport(folder);
    showScore(folder, score);
  }
}

/** Open the newest report. */
export async function openLastReport(context: vscode.ExtensionContext): Promise<void> {
  const folder = reportsFolder(context);
  const names = await readdir(folder).catch(() => [] as string[]);
  for (const name of names.sort().reverse()) {
    if (await openReport(path.join(folder, name))) {
      return;
    }
  }
  void vscode.window.showInformationMessage("Copilot Server: no self-test has been run to its end yet.");
}

function reportsFolder(context: vscode.ExtensionContext): string {
  return path.join(context.globalStorageUri.fsPath, "self-tests");
}

/** Run it; returns a description of the score, or undefined if it was cancelled or failed, which is shown. */
async function tested(
  { log }: Session,
  program: string,
  folder: string,
  limit: number,
  progress: vscode.Progress<{ message: string; increment: number }>,
  token: vscode.CancellationToken,
): Promise<string | undefined> {
  const cancelled = new AbortController();
  token.onCancellationRequested(() => {
    cancelled.abort();
  });
  const bar = new Bar(limit, progress);
  const ended = await run(program, selfTestArgs(folder, limit), {
    cwd: folder,
    env: { ...process.env, ...TERMINAL_ENV },
    signal: cancelled.signal,
    onOutput: (piece) => {
      bar.draw(piece);
    },
  });
  if (cancelled.signal.aborted) {
    return undefined;
  }
  if (ended.code !== 0) {
    log.error(`The self-test failed: ${ended.stderr}`);
    sayError(`The self-test failed: ${lastWords(ended)}`, LOG);
    return undefined;
  }
  return bar.score;
}

function selfTestArgs(folder: string, limit: number): readonly string[] {
  const flags = selfTestFlags(reader);
  return ["--selftest", "humaneval", "--limit", String(limit), "--report", folder, ...flags];
}

/** The progress bar of one run. */
class Bar {
  private readonly lines = new LineSplitter();
  private checked = 0;
  score = "";

  constructor(
    private readonly total: number,
    private readonly progress: vscode.Progress<{ message: string; increment: number }>,
  ) {
    progress.report({ message: "loading the model", increment: 0 });
  }

  draw(piece: string): void {
    for (const line of this.lines.push(piece)) {
      const now = readProgress(line);
      if (now === undefined || now.checked <= this.checked) {
        continue;
      }
      const total = now.total ?? this.total;
      const increment = ((now.checked - this.checked) / total) * 100;
      this.checked = now.checked;
      this.score = `pass@1 ${now.passAt1 ?? "unknown"} on ${now.checked} problems`;
      this.progress.report({
        message: `${now.checked} of ${total}, pass@1 ${now.passAt1 ?? "…"}`,
        increment,
      });
    }
  }
}

function showScore(folder: string, score: string): void {
  // A browser on another machine cannot open the files.
  const isLocal = vscode.env.remoteName === undefined && vscode.env.uiKind === vscode.UIKind.Desktop;
  const actions = isLocal ? [OPEN_IN_BROWSER] : [];
  void vscode.window.showInformationMessage(`Self-test: ${score}.`, ...actions).then((chosen) => {
    if (chosen === OPEN_IN_BROWSER) {
      void vscode.env.openExternal(vscode.Uri.file(path.join(folder, "report.html")));
    }
  });
}

/** Show the report of a run in the editor; false if it has none. */
async function openReport(folder: string): Promise<boolean> {
  const page = await readFile(path.join(folder, "report.html"), "utf8").catch(() => undefined);
  if (page === undefined) {
    return false;
  }
  const panel = vscode.window.createWebviewPanel(
    "copilot-server.report",
    "Self-test Report",
    vscode.ViewColumn.Active,
    // The page's own policy allows its single script by hash, and forbids all requests.
    { enableScripts: true, enableFindWidget: true, localResourceRoots: [] },
  );
  panel.webview.html = page;
  return true;
}
