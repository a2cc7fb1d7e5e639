/** Choosing the model. */
import * as vscode from "vscode";
import { set, text } from "./configuration";
import { withoutLinks } from "./core/messages";
import { AUTO, autoRow, gigabytes, missingFor, modelRow, readModels, type Model } from "./core/models";
import { lastWords, run } from "./core/program";
import { engineOf, modelOf } from "./core/status";
import type { Session } from "./session";

const OTHER = "Another model…";
const FETCH = "Fetch";
const KEEP = "Use What Is Here";
const SETTINGS = "Open Settings";

/** Let the user choose a model, and change the setting. The server then loads the model by itself. */
export async function selectModel(session: Session): Promise<void> {
  const engine = engineOf(session.phase);
  if (engine !== "") {
    await showEngineNotice(engine);
    return;
  }
  const models = await listModels(session);
  if (models === undefined) {
    return;
  }
  const current = modelOf(session.phase, text("model"));
  const rows = [
    ...models.map((model) => ({ ...modelRow(model, current), model })),
    { ...autoRow(models, text("model")), model: undefined },
    { id: "", label: OTHER, description: "a hub's org/name, a folder, or a .gguf file", model: undefined },
  ];
  const chosen = await vscode.window.showQuickPick(rows, {
    title: "Copilot Server: the model",
    placeHolder: `Now: ${current}`,
    matchOnDetail: true,
  });
  if (chosen === undefined) {
    return;
  }
  if (chosen.id === AUTO) {
    await chooseAuto(session, models);
    return;
  }
  const id = chosen.model === undefined ? await askForName(current) : await agreed(chosen.model);
  if (id !== undefined) {
    await set("model", id);
  }
}

/** Leave the choice to the server, after fetching what suits this machine if the user agrees. */
async function chooseAuto(session: Session, models: readonly Model[]): Promise<void> {
  const missing = missingFor(models);
  if (missing !== undefined) {
    const question = `${missing.title} suits this machine, and is not on it yet. Fetch ${gigabytes(missing.size_bytes)}?`;
    const detail = `${missing.reason} Licence: ${missing.licence}.`;
    const answer = await vscode.window.showInformationMessage(question, { modal: true, detail }, FETCH, KEEP);
    if (answer === undefined || (answer === FETCH && !(await fetched(session, missing)))) {
      return;
    }
  }
  await set("model", AUTO);
  if (text("model") === AUTO && missing !== undefined) {
    await session.restart(); // a server that has chosen before does not choose again by itself
  }
}

/** Fetch a model; whether it is on this machine now. */
async function fetched(session: Session, model: Model): Promise<boolean> {
  const found = await session.program();
  if (found === undefined) {
    return false;
  }
  const title = `Copilot Server: fetching ${model.title} (${gigabytes(model.size_bytes)})`;
  const ended = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title, cancellable: true },
    async (_progress, token) => {
      const abort = new AbortController();
      token.onCancellationRequested(() => {
        abort.abort();
      });
      return run(found.program, ["pull", model.id], { cwd: session.folder, signal: abort.signal });
    },
  );
  if (ended.code === 0) {
    return true;
  }
  session.log.error(`copilot-server pull ${model.id}: ${lastWords(ended)}`);
  const message = withoutLinks(`Copilot Server: ${model.title} was not fetched: ${lastWords(ended)}`);
  void vscode.window.showErrorMessage(message);
  return false;
}

/** A remote engine chooses its model itself. */
async function showEngineNotice(engine: string): Promise<void> {
  const message = withoutLinks(`Copilot Server: the model runs at ${engine}, and is chosen there.`);
  if ((await vscode.window.showInformationMessage(message, SETTINGS)) === SETTINGS) {
    await vscode.commands.executeCommand("workbench.action.openSettings", "copilot-server.engine");
  }
}

async function listModels(session: Session): Promise<readonly Model[] | undefined> {
  const found = await session.program();
  if (found === undefined) {
    return undefined;
  }
  try {
    const ended = await run(found.program, ["models", "--json"], {
      cwd: session.folder,
      timeout_s: 60,
    });
    if (ended.code !== 0) {
      throw new Error(lastWords(ended));
    }
    return readModels(ended.stdout);
  } catch (error) {
    session.log.error(`copilot-server models: ${String(error)}`);
    const message = withoutLinks(`Copilot Server: the models cannot be listed: ${String(error)}`);
    void vscode.window.showErrorMessage(message);
    return undefined;
  }
}

async function askForName(current: string): Promise<string | undefined> {
  const name = await vscode.window.showInputBox({
    title: "Copilot Server: the model",
    prompt: "A hub's org/name, or the absolute path of a folder or a .gguf file",
    value: current,
    validateInput: (value) => (value.trim() === "" ? "Name a model." : undefined),
  });
  return name?.trim();
}

async function agreed(model: Model): Promise<string | undefined> {
  if (model.isOnDisk) {
    return model.id;
  }
  const question = `${model.title} is not on this machine yet. Fetch ${gigabytes(model.size_bytes)}?`;
  const detail = `Licence: ${model.licence}. The server fetches it once, and checks it by its hash.`;
  const answer = await vscode.window.showInformationMessage(question, { modal: true, detail }, FETCH);
  return answer === FETCH ? model.id : undefined;
}
