/** The command that installs the server. */
import { homedir } from "node:os";
import * as vscode from "vscode";
import { text } from "./configuration";
import { install, pipStep, type Source } from "./core/install";
import { withoutLinks } from "./core/messages";
import { NotAsLockedError } from "./core/pip";
import { InstallError } from "./core/python";
import { LineSplitter } from "./core/selfTestProgress";
import { ownVenv } from "./server";
import type { Session } from "./session";

const INSTALL = "Install";
const UNCHECKED = "Install Without Hashes";

/** Install or update the server in its own environment, if the user agrees. */
export async function installServer(context: vscode.ExtensionContext, session: Session): Promise<void> {
  const source = sourceOf(context);
  if (!(await agrees("Install copilot-server?", detailOf(context, source), INSTALL))) {
    return;
  }
  try {
    await session.stop({ kind: "installing" }); // some systems cannot replace files in use
    await installedOrUnchecked(context, session, source);
    void vscode.window.showInformationMessage("Copilot Server: the server is installed.");
  } catch (error) {
    showFailure(session, error);
  } finally {
    await session.restart();
  }
}

/** What the setting names, or else the server that comes with the extension. */
function sourceOf(context: vscode.ExtensionContext): Source {
  const name = text("installSource");
  if (name !== "") {
    return { kind: "unchecked", name };
  }
  const { version } = context.extension.packageJSON as { readonly version: string };
  const file = (file: string): string => vscode.Uri.joinPath(context.extensionUri, "server", file).fsPath;
  return {
    kind: "bundled",
    archive: file(`copilot_server-${version}.tar.gz`),
    lock: file("requirements.lock"),
  };
}

function detailOf(context: vscode.ExtensionContext, source: Source): string {
  const what =
    source.kind === "bundled"
      ? "The server that comes with the extension is installed with the libraries that it needs, PyTorch among " +
        "them, which pip fetches and checks by their hashes,"
      : `As the setting installSource says, pip installs ${source.name} and the libraries that it needs, PyTorch ` +
        "among them, without checking their hashes,";
  return (
    `${what} into a Python environment of its own: ${ownVenv(context)}. ` +
    "That takes minutes, and some gigabytes of disk."
  );
}

/** Install it; if the files that the extension knows cannot be had here, without hashes, if the user agrees. */
async function installedOrUnchecked(
  context: vscode.ExtensionContext,
  session: Session,
  source: Source,
): Promise<void> {
  try {
    await installed(context, session, source);
  } catch (error) {
    if (!(error instanceof NotAsLockedError) || source.kind !== "bundled") {
      throw error;
    }
    session.log.warn(error.message);
    const detail = `${error.message} pip can install what it finds instead, which nobody has checked.`;
    if (!(await agrees("Install the server's libraries without checking their hashes?", detail, UNCHECKED))) {
      throw error;
    }
    await installed(context, session, { kind: "unchecked", name: source.archive });
  }
}

async function agrees(question: string, detail: string, yes: string): Promise<boolean> {
  return (await vscode.window.showInformationMessage(question, { modal: true, detail }, yes)) === yes;
}

/** Install it, with a notification that shows the steps and can cancel them. */
async function installed(context: vscode.ExtensionContext, session: Session, source: Source): Promise<void> {
  const options = {
    location: vscode.ProgressLocation.Notification,
    title: "Installing copilot-server",
    cancellable: true,
  };
  await vscode.window.withProgress(options, async (progress, token) => {
    const cancelled = new AbortController();
    token.onCancellationRequested(() => {
      cancelled.abort();
    });
    const onStep = (message: string): void => {
      progress.report({ message });
    };
    await install({
      python: text("pythonPath"),
      source,
      venv: ownVenv(context),
      folder: session.folder,
      platform: process.platform,
      home: homedir(),
      searchPath: process.env["PATH"] ?? "",
      signal: cancelled.signal,
      onStep,
      onOutput: logged(session, onStep),
    });
  });
}

/** Takes pip's output: logs its lines, and reports the steps that they begin. */
function logged({ log }: Session, onStep: (step: string) => void): (piece: string) => void {
  const lines = new LineSplitter();
  return (piece) => {
    for (const line of lines.push(piece)) {
      log.info(line);
      const step = pipStep(line);
      if (step !== undefined) {
        onStep(step);
      }
    }
  };
}

function showFailure({ log }: Session, error: unknown): void {
  const message = error instanceof InstallError ? error.message : String(error);
  log.error(message);
  const showLog = "Show Log";
  const shown = withoutLinks(`Copilot Server: ${message}`);
  void vscode.window.showErrorMessage(shown, showLog).then((chosen) => {
    if (chosen === showLog) {
      log.show();
    }
  });
}
