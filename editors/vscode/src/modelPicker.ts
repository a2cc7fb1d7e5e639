/** Choosing the model. */
import * as vscode from "vscode";
import { set, text } from "./configuration";
import { LOG, RESTART, type Action } from "./core/actions";
import { withoutLinks } from "./core/messages";
import { AUTO, autoRow, gigabytes, missingFor, modelRow, readModels, type Model } from "./core/models";
import { lastWords } from "./core/program";
import { engineOf, modelOf } from "./core/status";
import { reached } from "./core/milestones";
import { runCommand } from "./runCommand";
import { ask, sayError } from "./say";
import type { Session } from "./session";

const OTHER = "Another model…";
const SETTINGS: Action = {
  title: "Open Settings",
  command: "workbench.action.openSettings",
  args: ["copilot-server.engine"],
};

/** Let the user choose a model, and change the setting. The server then loads the model by itself. */
export async function selectModel(session: Session): Promise<void> {
  const engine = engineOf(session.phase);
  if (engine !== "") {
    // A remote engine chooses its model itself.
    await ask(`The model runs at ${engine}, and is chosen there.`, SETTINGS);
    return;
  }
  const models = await listModels(session);
  if (models === undefined) {
    return;
  }
  const current = modelOf(session.phase, text("model"));
  const rows = [
    ...models.map((model) => modelRow(model, current)),
    autoRow(models, text("model")),
    { id: "", label: OTHER, description: "a hub's org/name, a folder, or a .gguf file" },
  ];
  const chosen = await vscode.window.showQuickPick(rows, {
    title: "Copilot Server: the model",
    placeHolder: `Now: ${current}`,
    matchOnDetail: true,
  });
  if (chosen === undefined) {
    return;
  }
  // What is not on this machine is fetched by the server, which asks before.
  const id = chosen.label === OTHER ? await askForName(current) : chosen.id;
  if (id !== undefined) {
    await set("model", id);
    reached("chosen");
  }
  if (id === AUTO) {
    offerBetter(session, models);
  }
}

/** Offer to fetch what suits this machine better than what `auto` finds on it. */
function offerBetter(session: Session, models: readonly Model[]): void {
  const better = missingFor(models);
  if (better === undefined) {
    return;
  }
  const offer = `${better.title} suits this machine, and is not on it yet. ${better.reason}`;
  const title = `Fetch ${gigabytes(better.size_bytes)}`;
  void vscode.window
    .showInformationMessage(`Copilot Server: ${withoutLinks(offer)} Licence: ${better.licence}.`, title)
    .then((chosen) => (chosen === title ? fetch(session, better) : undefined));
}

/** Fetch a model, and have the server choose again. */
async function fetch(session: Session, model: Model): Promise<void> {
  const title = `fetching ${withoutLinks(model.title)} (${gigabytes(model.size_bytes)})`;
  const ended = await runCommand(session, title, ["pull", model.id]);
  if (ended?.code === 0) {
    await session.restart(); // a server that has chosen before does not choose again by itself
  } else if (ended !== undefined) {
    session.log.error(`copilot-server pull ${model.id}: ${lastWords(ended)}`);
    sayError(`${model.title} was not fetched: ${lastWords(ended)}`, LOG);
  }
}

async function listModels(session: Session): Promise<readonly Model[] | undefined> {
  try {
    const ended = await runCommand(session, "listing the models", ["models", "--json"]);
    if (ended !== undefined && ended.code !== 0) {
      throw new Error(lastWords(ended));
    }
    return ended && readModels(ended.stdout);
  } catch (error) {
    session.log.error(`copilot-server models: ${String(error)}`);
    sayError(`The models cannot be listed: ${String(error)}`, LOG, RESTART);
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
