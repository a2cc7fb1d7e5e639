/** The command that installs the server. */
import { mkdir } from "node:fs/promises";
import * as vscode from "vscode";
import { gpuHere, sourceOf, uvLock } from "./bundled";
import { SECTION, text } from "./configuration";
import { consentDetail } from "./core/consent";
import { currentEnvironment } from "./core/environments";
import { fileFailure, InstallError, NotAsLockedError } from "./core/failures";
import { untilReleased } from "./core/holders";
import { install, lockFile, pipStep, withoutHashes, type InstallOptions, type Source } from "./core/install";
import { planPython, type PythonOptions } from "./core/python";
import { LineSplitter } from "./core/selfTestProgress";
import { described, type Transfer } from "./core/transfer";
import { showFailure } from "./installFailure";
import { locateServer, places } from "./server";
import type { Session } from "./session";

const INSTALL = "Install";
const SWITCH = "Install and Switch";
const WITH_TORCH = "Install With PyTorch";
const WITHOUT_TORCH = "Install Without PyTorch";
const UNCHECKED = "Install Without Hashes";

/** What the user has agreed to. */
interface Agreed {
  readonly source: Source;
  /** Whether the setting serverPath, which names another server, is emptied. */
  readonly switches: boolean;
}

/** The installation that runs in this window. */
let running: { readonly abort: AbortController; readonly ended: Promise<unknown> } | undefined;

/** End the installation that runs in this window, if one does, with all the programs that it has started. */
export async function endInstallation(): Promise<void> {
  running?.abort.abort();
  await running?.ended;
}

/**
 * Install or update the server in an environment of its own, if the user agrees.
 *
 * @param isTold - Whether the user has agreed already to what a message or the walkthrough says of it.
 */
export async function installServer(
  context: vscode.ExtensionContext,
  session: Session,
  isTold = false,
): Promise<void> {
  await attempt(context, session, () => agreement(context, session, isTold));
}

/** Install what the user agrees to. Whoever tries again after a failure is not asked again. */
async function attempt(
  context: vscode.ExtensionContext,
  session: Session,
  agree: () => Promise<Agreed | undefined>,
): Promise<void> {
  if (running !== undefined) {
    void vscode.window.showInformationMessage("Copilot Server: the server is being installed already.");
    return;
  }
  let agreed: Agreed | undefined;
  try {
    agreed = await agree();
    if (agreed !== undefined) {
      await installedOrUnchecked(context, session, agreed.source);
      await takenUp(session, agreed);
    }
  } catch (error) {
    const before = agreed;
    await failed(session, error, () =>
      attempt(context, session, before === undefined ? agree : () => Promise.resolve(before)),
    );
  }
}

/** What is to be installed; undefined if the user does not want it. */
async function agreement(
  context: vscode.ExtensionContext,
  session: Session,
  isTold: boolean,
): Promise<Agreed | undefined> {
  const gpu = gpuHere();
  const configured = text("serverPath");
  const used = await locateServer(context);
  const source = sourceOf(context, gpu);
  if (isTold && used === undefined && configured === "" && source.kind === "bundled") {
    return { source, switches: false };
  }
  await madeFolder(session.folder);
  const python = await planPython(pythonOptions(context, session, new AbortController().signal));
  const proposal = { source, torch: gpu, gpu, python, used, configured, folder: session.folder };
  const plain = configured === "" ? INSTALL : SWITCH;
  const other = source.kind === "unchecked" ? [] : [gpu ? WITHOUT_TORCH : WITH_TORCH];
  const answer = await asked("Install copilot-server?", consentDetail(proposal), plain, ...other);
  return answer === undefined
    ? undefined
    : {
        source: answer === plain ? source : sourceOf(context, answer === WITH_TORCH),
        switches: configured !== "",
      };
}

async function madeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw fileFailure(error, folder);
  });
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
    const question = "Install the server's libraries without checking their hashes?";
    if ((await asked(question, detail, UNCHECKED)) === undefined) {
      throw error;
    }
    await installed(context, session, await withoutHashes(source));
  }
}

async function asked(question: string, detail: string, ...answers: string[]): Promise<string | undefined> {
  return vscode.window.showInformationMessage(question, { modal: true, detail }, ...answers);
}

/** Install it, with a notification that shows the steps and can cancel them. */
async function installed(context: vscode.ExtensionContext, session: Session, source: Source): Promise<void> {
  const abort = new AbortController();
  const location = vscode.ProgressLocation.Notification;
  const options = { location, title: "Installing copilot-server", cancellable: true };
  const work = vscode.window.withProgress(options, async (progress, token) => {
    token.onCancellationRequested(() => {
      abort.abort();
    });
    const shown = new Shown(progress);
    const whole: InstallOptions = {
      ...pythonOptions(context, session, abort.signal),
      source,
      proxy: vscode.workspace.getConfiguration("http").get<string>("proxy") ?? "",
      onStep: (step) => {
        shown.begin(step);
      },
      onTransfer: (transfer) => {
        shown.transferred(transfer);
      },
      onOutput: logged(session, shown),
    };
    await installedHereOrElsewhere(whole, shown);
  });
  running = { abort, ended: Promise.resolve(work).catch(() => undefined) };
  await session.installing(work).finally(() => {
    running = undefined;
  });
}

/** Install it, or wait for the window that does so already, and take up what that has installed. */
async function installedHereOrElsewhere(options: InstallOptions, shown: Shown): Promise<void> {
  const { folder, signal } = options;
  try {
    await install(options);
  } catch (error) {
    if (!(error instanceof InstallError && error.reason === "busy")) {
      throw error;
    }
    shown.begin("another window is installing it");
    const before = await currentEnvironment(folder);
    await untilReleased(lockFile(folder), signal);
    if (signal.aborted) {
      throw new InstallError("cancelled", "The user does not wait for the other window.");
    }
    if ((await currentEnvironment(folder)).folder === before.folder) {
      throw new InstallError("other", "The other window has not installed the server.");
    }
  }
}

function pythonOptions(
  context: vscode.ExtensionContext,
  session: Session,
  signal: AbortSignal,
): PythonOptions {
  const python = text("pythonPath");
  return { ...places(), python, folder: session.folder, signal, uvLock: uvLock(context) };
}

/** Use what has been installed. */
async function takenUp(session: Session, { switches }: Agreed): Promise<void> {
  if (switches) {
    const settings = vscode.workspace.getConfiguration(SECTION);
    await settings.update("serverPath", undefined, vscode.ConfigurationTarget.Global);
  }
  await session.restart();
  void vscode.window.showInformationMessage("Copilot Server: the server is installed.");
}

async function failed(session: Session, error: unknown, retry: () => Promise<void>): Promise<void> {
  session.lookAgain();
  if (error instanceof InstallError && error.reason === "cancelled") {
    session.log.info(error.message);
    return;
  }
  await showFailure(session.log, error, retry);
}

/** The notification, which says the step and how far it is. */
class Shown {
  private step = "";
  private transfer: Transfer | undefined;
  private percent = 0;

  constructor(private readonly progress: vscode.Progress<{ message?: string; increment?: number }>) {}

  begin(step: string): void {
    this.step = step;
    this.show(0);
  }

  transferred(transfer: Transfer): void {
    this.transfer = transfer;
    const { fetched_bytes: fetched, total_bytes: total } = transfer;
    const percent = total === undefined ? 0 : Math.min(100, (100 * fetched) / total);
    const increment = Math.max(0, percent - this.percent);
    this.percent += increment;
    this.show(increment);
  }

  private show(increment: number): void {
    const bytes = this.transfer === undefined ? "" : described(this.transfer);
    this.progress.report({ message: [this.step, bytes].filter(Boolean).join(": "), increment });
  }
}

/** Takes pip's output: logs its lines, and reports the steps that they begin. */
function logged({ log }: Session, shown: Shown): (piece: string) => void {
  const lines = new LineSplitter();
  return (piece) => {
    for (const line of lines.push(piece)) {
      log.info(line);
      const step = pipStep(line);
      if (step !== undefined) {
        shown.begin(step);
      }
    }
  };
}
