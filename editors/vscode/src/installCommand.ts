/** The command that installs the server. */
import * as vscode from "vscode";
import { text } from "./configuration";
import { install, InstallError, pipStep } from "./core/install";
import { LineSplitter } from "./core/selfTestProgress";
import { ownVenv } from "./server";
import type { Session } from "./session";

const INSTALL = "Install";

/** Install or update the server in its own environment, if the user agrees. */
export async function installServer(context: vscode.ExtensionContext, session: Session): Promise<void> {
  const source = text("installSource") || "copilot-server";
  const detail =
    `pip installs ${source} and the libraries that it needs, PyTorch among them, into a Python environment ` +
    `of its own: ${ownVenv(context)}. That takes minutes, and some gigabytes of disk.`;
  const question = "Install copilot-server?";
  if ((await vscode.window.showInformationMessage(question, { modal: true, detail }, INSTALL)) !== INSTALL) {
    return;
  }
  try {
    await session.stop({ kind: "installing" }); // some systems cannot replace files in use
    await vscode.window.withProgress(
      {
        location: vscode.ProgressLocation.Notification,
        title: "Installing copilot-server",
        cancellable: true,
      },
      (progress, token) => installed(context, session, source, progress, token),
    );
    void vscode.window.showInformationMessage("Copilot Server: the server is installed.");
  } catch (error) {
    showFailure(session, error);
  } finally {
    await session.restart();
  }
}

async function installed(
  context: vscode.ExtensionContext,
  { log }: Session,
  source: string,
  progress: vscode.Progress<{ message: string }>,
  token: vscode.CancellationToken,
): Promise<void> {
  const cancelled = new AbortController();
  token.onCancellationRequested(() => {
    cancelled.abort();
  });
  const lines = new LineSplitter();
  await install({
    python: text("pythonPath"),
    source,
    venv: ownVenv(context),
    platform: process.platform,
    signal: cancelled.signal,
    onStep: (message) => {
      progress.report({ message });
    },
    onOutput: (piece) => {
      for (const line of lines.push(piece)) {
        log.info(line);
        const message = pipStep(line);
        if (message !== undefined) {
          progress.report({ message });
        }
      }
    },
  });
}

function showFailure({ log }: Session, error: unknown): void {
  const message = error instanceof InstallError ? error.message : String(error);
  log.error(message);
  const showLog = "Show Log";
  void vscode.window.showErrorMessage(`Copilot Server: ${message}`, showLog).then((chosen) => {
    if (chosen === showLog) {
      log.show();
    }
  });
}
