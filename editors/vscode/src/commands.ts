/** The commands by name. */
import * as vscode from "vscode";
import { canHaveSuggestions, switches, text, toggle, toggleLanguage } from "./configuration";
import { menuGroups, type MenuEntry, type MenuGroup } from "./core/menu";
import { modelOf } from "./core/status";
import { installServer } from "./installCommand";
import { selectModel } from "./modelPicker";
import { CandidatePanel } from "./panel";
import { openLastReport, runSelfTest } from "./selfTest";
import type { Session } from "./session";
import { Statistics } from "./statistics";
import { openWalkthrough } from "./walkthrough";

type Handler = (...args: never[]) => unknown;

/** Ghost text and the actions on it are VS Code's own. */
const OF_THE_EDITOR: Readonly<Record<string, string>> = {
  accept: "editor.action.inlineSuggest.commit",
  acceptWord: "editor.action.inlineSuggest.acceptNextWord",
  acceptLine: "editor.action.inlineSuggest.acceptNextLine",
  next: "editor.action.inlineSuggest.showNext",
  previous: "editor.action.inlineSuggest.showPrevious",
  dismiss: "editor.action.inlineSuggest.hide",
};

/** Register all commands. */
export function registerCommands(context: vscode.ExtensionContext, session: Session): vscode.Disposable {
  const panel = new CandidatePanel(context, session);
  const statistics = new Statistics(session);
  const handlers: Record<string, Handler> = {
    trigger,
    toggle: toggleAndShow,
    toggleLanguage: toggleLanguageHere,
    panel: () => panel.ask(),
    menu: () => showMenu(session),
    selectModel: () => selectModel(session),
    selfTest: () => runSelfTest(context, session),
    openReport: () => openLastReport(context),
    stats: () => statistics.show(),
    showLog: () => {
      session.log.show();
    },
    restart: () => session.restart(),
    install: () => installServer(context, session),
    walkthrough: () => openWalkthrough(context),
    ...Object.fromEntries(
      Object.entries(OF_THE_EDITOR).map(([name, command]) => [
        name,
        () => vscode.commands.executeCommand(command),
      ]),
    ),
  };
  const registered = Object.entries(handlers).map(([name, handler]) =>
    vscode.commands.registerCommand(`copilot-server.${name}`, handler),
  );
  return vscode.Disposable.from(panel, statistics, ...registered);
}

async function trigger(): Promise<void> {
  const document = vscode.window.activeTextEditor?.document;
  const { enabled, language } = switches(document);
  if (!enabled || language?.on === false) {
    const where = enabled && language !== undefined ? ` for ${language.id}` : "";
    const on = "Turn On";
    if ((await vscode.window.showInformationMessage(`Suggestions are off${where}.`, on)) !== on) {
      return;
    }
    await (enabled ? toggleLanguageHere() : toggleAndShow());
  }
  await vscode.commands.executeCommand("editor.action.inlineSuggest.trigger");
}

async function toggleAndShow(): Promise<void> {
  const isOn = await toggle();
  await showSwitched(isOn, "");
}

async function toggleLanguageHere(): Promise<void> {
  const document = vscode.window.activeTextEditor?.document;
  if (document === undefined || !canHaveSuggestions(document)) {
    showBriefly("Open a document of the language first.");
    return;
  }
  const { languageId } = document;
  const isOn = await toggleLanguage(languageId);
  await showSwitched(isOn, ` for ${languageId}`);
}

async function showSwitched(isOn: boolean, where: string): Promise<void> {
  showBriefly(`Suggestions are ${isOn ? "on" : "off"}${where}.`);
  if (!isOn) {
    await vscode.commands.executeCommand("editor.action.inlineSuggest.hide"); // also the visible one
  }
}

/** Show a short message to a user who has just pressed a key. */
function showBriefly(message: string): void {
  vscode.window.setStatusBarMessage(message, 3000);
}

async function showMenu(session: Session): Promise<void> {
  const now = switches(vscode.window.activeTextEditor?.document);
  const { phase } = session;
  const rows = menuGroups(phase, now, modelOf(phase, text("model"))).flatMap(menuRows);
  const chosen = await vscode.window.showQuickPick(rows, {
    title: "Copilot Server",
    placeHolder: "What to do?",
  });
  if (chosen?.command !== undefined) {
    await vscode.commands.executeCommand(chosen.command, ...(chosen.args ?? []));
  }
}

function menuRows(group: MenuGroup): (vscode.QuickPickItem & Partial<MenuEntry>)[] {
  return [{ label: group.title, kind: vscode.QuickPickItemKind.Separator }, ...group.entries];
}
