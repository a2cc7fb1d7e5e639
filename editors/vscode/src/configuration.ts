/** The settings as VS Code has them. */
import * as vscode from "vscode";
import { isLanguageOn, onInAny, readLanguages, toggledLanguage, type Languages } from "./core/languages";
import type { Reader, ServerSetting } from "./core/settings";
import type { Switches } from "./core/status";

export const SECTION = "copilot-server";

/** Documents that can have suggestions: not output, logs, input boxes or read-only views. */
export const SELECTOR: readonly vscode.DocumentFilter[] = [
  { scheme: "file" },
  { scheme: "untitled" },
  { scheme: "vscode-notebook-cell" },
];

type Scope = { readonly uri: vscode.Uri } | undefined;

/** The server's settings. There is one server for all folders of the workspace, so that it gets what any of them has. */
export const reader: Reader = {
  value: (name) => OF_ALL_FOLDERS[name]?.() ?? section().get(name),
  fallback: (name) => section().inspect(name)?.defaultValue,
  isSet: (name) =>
    folders().some((folder) => {
      const found = section(folder).inspect(name);
      const values = [found?.globalValue, found?.workspaceValue, found?.workspaceFolderValue];
      return values.some((value) => value !== undefined);
    }),
  users: (name) => section().inspect(name)?.globalValue,
  workspaces: (name) => (name === "exclude" ? excludedByAny() : section().inspect(name)?.workspaceValue),
};

/** The value of a text setting. */
export function text(name: string): string {
  const value: unknown = section().get(name);
  return typeof value === "string" ? value.trim() : "";
}

/** Whether suggestions are on for a document, or for what has no document. */
export function isEnabled(scope?: Scope): boolean {
  return section(scope).get("enabled") !== false;
}

/** Whether any folder of the workspace has suggestions on. */
export function isEnabledAnywhere(): boolean {
  return folders().some(isEnabled);
}

/** Whether suggestions come while the user types; otherwise only when the user asks. */
export function isAutomatic(scope?: Scope): boolean {
  return section(scope).get("automatic") !== false;
}

/** Whether suggestions are wanted in `document`. */
export function isWantedIn(document: vscode.TextDocument): boolean {
  return isAnsweredIn(document) && isLanguageOn(languagesOf(document), document.languageId);
}

/** Whether a user who asks for suggestions in `document` gets them, as also in a language that is off. */
export function isAnsweredIn(document: vscode.TextDocument): boolean {
  return isEnabled(document) && canHaveSuggestions(document);
}

/** Whether `document` is of a kind that can have suggestions. */
export function canHaveSuggestions(document: vscode.TextDocument): boolean {
  return vscode.languages.match(SELECTOR, document) > 0;
}

/** The switches that concern `document`. */
export function switches(document: vscode.TextDocument | undefined): Switches {
  const isOurs = document !== undefined && canHaveSuggestions(document);
  const { workspaceValue, workspaceFolderValue } = section(document).inspect("enabled") ?? {};
  return {
    enabled: isEnabled(document),
    isOffHere: workspaceValue === false || workspaceFolderValue === false,
    hasWorkspace: vscode.workspace.workspaceFolders !== undefined,
    automatic: isAutomatic(document),
    language: isOurs
      ? { id: document.languageId, on: isLanguageOn(languagesOf(document), document.languageId) }
      : undefined,
    ghostText: vscode.workspace.getConfiguration("editor", document).get("inlineSuggest.enabled") !== false,
  };
}

/** Turn suggestions on or off where that is decided for `document`; returns whether they are on now. */
export async function toggle(document: vscode.TextDocument | undefined): Promise<boolean> {
  const on = !isEnabled(document);
  await set("enabled", on, document);
  return on;
}

/** Turn suggestions on or off in this workspace only; returns whether they are on now. */
export async function toggleWorkspace(document: vscode.TextDocument | undefined): Promise<boolean> {
  const on = !isEnabled(document);
  const { globalValue, workspaceFolderValue } = section(document).inspect("enabled") ?? {};
  const isFolders = workspaceFolderValue !== undefined && folders().length > 1;
  const value = on && globalValue !== false ? undefined : on; // what the user has elsewhere needs no setting here
  await update("enabled", value, isFolders ? IN.WorkspaceFolder : IN.Workspace, document);
  return on;
}

/** Have suggestions come while the user types, or only when the user asks; returns whether they come by themselves now. */
export async function toggleAutomatic(document: vscode.TextDocument | undefined): Promise<boolean> {
  const automatic = !isAutomatic(document);
  await set("automatic", automatic, document);
  return automatic;
}

/** Turn suggestions for the language of `document` on or off; returns whether they are on now. */
export async function toggleLanguage(document: vscode.TextDocument): Promise<boolean> {
  const [target, own] = decidingScope("languages", document);
  const toggled = toggledLanguage(ownLanguages(own), languagesOf(document), document.languageId);
  await update("languages", toggled, target, document);
  return isLanguageOn(toggled, document.languageId);
}

/** Change a setting in the scope in which it is set, so that the new value takes effect, or else in the user's. */
export async function set(name: string, value: unknown, document?: vscode.TextDocument): Promise<void> {
  await update(name, value, decidingScope(name, document)[0], document);
}

const IN = vscode.ConfigurationTarget;

/** The scope that decides a setting for `document`, and the value that the setting has in it. */
function decidingScope(name: string, document?: vscode.TextDocument): [vscode.ConfigurationTarget, unknown] {
  const found = section(document).inspect(name);
  if (found?.workspaceFolderValue !== undefined && folders().length > 1) {
    return [IN.WorkspaceFolder, found.workspaceFolderValue];
  }
  if (found?.workspaceValue !== undefined) {
    return [IN.Workspace, found.workspaceValue];
  }
  return [IN.Global, found?.globalValue];
}

async function update(
  name: string,
  value: unknown,
  target: vscode.ConfigurationTarget,
  scope: Scope,
): Promise<void> {
  await section(target === IN.WorkspaceFolder ? scope : undefined).update(name, value, target);
}

function languagesOf(scope: Scope): Languages {
  return readLanguages(section(scope).get("languages"));
}

function ownLanguages(value: unknown): Languages {
  return value === undefined ? {} : readLanguages(value);
}

/** What the server gets of a setting that each folder may have: the extension asks for less where less is wanted. */
const OF_ALL_FOLDERS: Readonly<Partial<Record<ServerSetting, () => unknown>>> = {
  enabled: isEnabledAnywhere,
  automatic: () => folders().some(isAutomatic),
  languages: () => onInAny(folders().map(languagesOf)),
};

/** The patterns of all folders; undefined if there are none. */
function excludedByAny(): unknown {
  const found = folders().map((folder) => section(folder).inspect<unknown>("exclude"));
  const lists = found.flatMap((one) => [one?.workspaceValue, one?.workspaceFolderValue]);
  const patterns = lists.flatMap((list) => (Array.isArray(list) ? (list as unknown[]) : []));
  return lists.every((list) => list === undefined) ? undefined : [...new Set(patterns)];
}

/** The folders of the workspace; without any, one that stands for the window. */
function folders(): readonly (vscode.WorkspaceFolder | undefined)[] {
  return vscode.workspace.workspaceFolders ?? [undefined];
}

function section(scope?: Scope): vscode.WorkspaceConfiguration {
  return vscode.workspace.getConfiguration(SECTION, scope === undefined ? null : folderOf(scope));
}

/** What decides the folder of a scope: for the cell of a notebook, the notebook. */
function folderOf({ uri }: NonNullable<Scope>): vscode.Uri {
  const { notebookDocuments } = vscode.workspace;
  const isCell = uri.scheme === "vscode-notebook-cell";
  return (
    (isCell ? notebookDocuments.find((notebook) => notebook.uri.path === uri.path)?.uri : undefined) ?? uri
  );
}
