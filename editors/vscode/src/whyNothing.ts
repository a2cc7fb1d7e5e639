/** Telling a user who asked why there is no suggestion. */
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import { readWhyNothing, type Answer } from "./core/reasons";
import { ask, sayBriefly } from "./say";

const NOTHING: Answer = { message: "The model has no suggestion here.", actions: [] };

/** While the model is loading, for a request that the server may not have read yet. */
export const LOADING: Answer = {
  message: "The model is being loaded. The suggestion comes when it is there.",
  actions: [],
};

/** Why the last request for a document brought nothing, as the server says; `otherwise` if it does not. */
export async function whyNothing(
  client: LanguageClient,
  document: vscode.TextDocument,
  otherwise = NOTHING,
): Promise<Answer> {
  const textDocument = client.code2ProtocolConverter.asTextDocumentIdentifier(document);
  // A server that is too old, or has just ended, does not say.
  const said: unknown = await client
    .sendRequest("copilotServer/whyNothing", { textDocument })
    .catch(() => undefined);
  return readWhyNothing(said, document.languageId) ?? otherwise;
}

/** Show it: with buttons where something can be done, and else where it disturbs nobody. */
export function showAnswer({ message, actions, isQuestion }: Answer): void {
  if (actions.length > 0) {
    void ask(message, ...actions);
    return;
  }
  sayBriefly(message);
  if (isQuestion === true) {
    void vscode.commands.executeCommand("notifications.showList"); // it may have been hidden meanwhile
  }
}
