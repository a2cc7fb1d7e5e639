/** The commands by name. */
import * as vscode from "vscode";
import {
  canHaveSuggestions,
  switches,
  text,
  toggle,
  toggleAutomatic,
  toggleLanguage,
  toggleWorkspace,
} from "./configuration";
import { menuGroups, type MenuEntry, type MenuGroup } from "./core/menu";
import { modelOf } from "./core/status";
import { fetchModel, trigger } from "./explicit";
import { installServer } from "./installCommand";
import { selectModel } from "./modelPicker";
import { CandidatePanel } from "./panel";
import { openLastReport, runSelfTest } from "./selfTest";
import { sayBriefly } from "./say";
import type { Session } from "./session";
import { Snooze } from "./snooze";
import { Statistics } from "./statistics";
import type { Walkthrough } from "./walkthrough";

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
export function registerCommands(
  context: vscode.ExtensionContext,
  session: Session,
  walkthrough: Walkthrough,
): vscode.Disposable {
  const panel = new CandidatePanel(context, session);
  const statistics = new Statistics(session);
  const snooze = new Snooze(session);
  const handlers: Record<string, Handler> = {
    trigger: (pressed?: { readonly isHidden?: boolean }) => trigger(session, pressed),
    toggle: toggleAndShow,
    toggleWorkspace: toggleWorkspaceAndShow,
    toggleAutomatic: toggleAutomaticAndShow,
    snooze: () => snooze.choose(),
    resume: () => snooze.resume(),
    fetchModel: () => fetchModel(session),
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
    install: (isTold?: unknown) => installServer(context, session, isTold === true),
    walkthrough: () => walkthrough.open(),
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
  return vscode.Disposable.from(panel, statistics, snooze, ...registered);
}

async function toggleAndShow(): Promise<void> {
  const isOn = await toggle(activeDocument());
  await showSwitched(isOn, "");
}

async function toggleWorkspaceAndShow(): Promise<void> {
  if (vscode.workspace.workspaceFolders === undefined) {
    sayBriefly("Open a folder first: there is no workspace.");
    return;
  }
  const isOn = await toggleWorkspace(activeDocument());
  await showSwitched(isOn, " in this workspace");
}

async function toggleAutomaticAndShow(): Promise<void> {
  const isAutomatic = await toggleAutomatic(activeDocument());
  sayBriefly(isAutomatic ? "Suggestions come as you type." : "Suggestions come only when you ask.");
}

async function toggleLanguageHere(): Promise<void> {
  const document = activeDocument();
  if (document === undefined || !canHaveSuggestions(document)) {
    sayBriefly("Open a document of the language first.");
    return;
  }
  const isOn = await toggleLanguage(document);
  await showSwitched(isOn, ` for ${document.languageId}`);
}

async function showSwitched(isOn: boolean, where: string): Promise<void> {
  sayBriefly(`Suggestions are ${isOn ? "on" : "off"}${where}.`);
  if (!isOn) {
    await vscode.commands.executeCommand("editor.action.inlineSuggest.hide"); // also the visible one
  }
}

function activeDocument(): vscode.TextDocument | undefined {
  return vscode.window.activeTextEditor?.document;
}

async function showMenu(session: Session): Promise<void> {
  const now = switches(activeDocument());
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
