/** The settings as VS Code has them. */
import * as vscode from "vscode";
import { isLanguageOn, readLanguages, toggledLanguage } from "./core/languages";
import type { Reader } from "./core/settings";
import type { Switches } from "./core/status";

export const SECTION = "copilot-server";

/** Documents that can have suggestions: not output, logs, input boxes or read-only views. */
export const SELECTOR: readonly vscode.DocumentFilter[] = [
  { scheme: "file" },
  { scheme: "untitled" },
  { scheme: "vscode-notebook-cell" },
];

/** The server's settings. */
export const reader: Reader = {
  value: (name) => section().get(name),
  fallback: (name) => section().inspect(name)?.defaultValue,
  isSet: (name) => {
    const found = section().inspect(name);
    return [found?.globalValue, found?.workspaceValue, found?.workspaceFolderValue].some(
      (value) => value !== undefined,
    );
  },
  users: (name) => section().inspect(name)?.globalValue,
  workspaces: (name) => section().inspect(name)?.workspaceValue,
};

/** The value of a text setting. */
export function text(name: string): string {
  const value: unknown = section().get(name);
  return typeof value === "string" ? value.trim() : "";
}

export function isEnabled(): boolean {
  return section().get("enabled") !== false;
}

/** Whether suggestions are wanted in `document`. */
export function isWantedIn(document: vscode.TextDocument): boolean {
  const languages = readLanguages(section().get("languages"));
  return isEnabled() && canHaveSuggestions(document) && isLanguageOn(languages, document.languageId);
}

/** Whether `document` is of a kind that can have suggestions. */
export function canHaveSuggestions(document: vscode.TextDocument): boolean {
  return vscode.languages.match(SELECTOR, document) > 0;
}

/** The switches that concern `document`. */
export function switches(document: vscode.TextDocument | undefined): Switches {
  const languages = readLanguages(section().get("languages"));
  const isOurs = document !== undefined && canHaveSuggestions(document);
  return {
    enabled: isEnabled(),
    language: isOurs
      ? { id: document.languageId, on: isLanguageOn(languages, document.languageId) }
      : undefined,
    ghostText: vscode.workspace.getConfiguration("editor", document).get("inlineSuggest.enabled") !== false,
  };
}

/** Turn suggestions on or off; returns whether they are on now. */
export async function toggle(): Promise<boolean> {
  const on = !isEnabled();
  await set("enabled", on);
  return on;
}

/** Turn suggestions for `language` on or off; returns whether they are on now. */
export async function toggleLanguage(language: string): Promise<boolean> {
  const toggled = toggledLanguage(readLanguages(section().get("languages")), language);
  await set("languages", toggled);
  return isLanguageOn(toggled, language);
}

/** Change a setting in the scope in which it is set, so that the new value takes effect, or else in the user's. */
export async function set(name: string, value: unknown): Promise<void> {
  const isWorkspaces = section().inspect(name)?.workspaceValue !== undefined;
  const target = isWorkspaces ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global;
  await section().update(name, value, target);
}

function section(): vscode.WorkspaceConfiguration {
  return vscode.workspace.getConfiguration(SECTION);
}
