/** The language client: ghost text is its own feature, what is here is what it leaves to us. */
import type * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  type LanguageClientOptions,
  type Middleware,
} from "vscode-languageclient/node";
import { isWantedIn, reader, SECTION, SELECTOR } from "./configuration";
import { chosenSettings, type Values } from "./core/settings";
import { readStatus, type ServerStatus } from "./core/status";
import { ServerProcess } from "./serverProcess";

export interface ClientParts {
  readonly program: string;
  readonly args: readonly string[];
  /** The folder that the server runs in. */
  readonly folder: string;
  readonly log: vscode.LogOutputChannel;
  readonly settings: Values;
  readonly onStatus: (status: ServerStatus) => void;
  /** Told once when the server is gone although nobody stopped it: how it ended, and what it said. */
  readonly onGone: (ending: string, complaint: string | undefined) => void;
}

/** Make a client that starts its server when it is started. */
export function makeClient(parts: ClientParts): LanguageClient {
  let server: ServerProcess | undefined;
  const start = async (): Promise<ServerProcess["child"]> => {
    server = await ServerProcess.start(parts.program, parts.args, parts.folder);
    parts.log.info(`Started ${parts.program}, process ${server.child.pid ?? "unknown"}.`);
    return server.child;
  };
  const gone = async (): Promise<{ action: CloseAction; handled: boolean }> => {
    const ending = (await server?.ending()) ?? "it did not start";
    parts.onGone(ending, server?.complaint());
    return { action: CloseAction.DoNotRestart, handled: true };
  };
  const client = new LanguageClient(SECTION, "Copilot Server", start, clientOptions(parts, gone));
  client.onNotification("didChangeStatus", (params: unknown) => {
    const status = readStatus(params);
    if (status !== undefined) {
      parts.onStatus(status);
    }
  });
  return client;
}

function clientOptions(
  parts: ClientParts,
  closed: () => Promise<{ action: CloseAction; handled: boolean }>,
): LanguageClientOptions {
  return {
    documentSelector: SELECTOR.map((filter) => ({ scheme: filter.scheme ?? "file" })),
    initializationOptions: parts.settings,
    outputChannel: parts.log,
    middleware: MIDDLEWARE,
    errorHandler: { error: () => ({ action: ErrorAction.Continue, handled: true }), closed },
    // What failed is told by whoever started the client.
    initializationFailedHandler: () => false,
  };
}

const MIDDLEWARE: Middleware = {
  provideInlineCompletionItems: (document, position, context, token, next) =>
    isWantedIn(document) ? next(document, position, context, token) : undefined,
  // Loading is shown in the status bar, by our own item.
  handleWorkDoneProgress: () => undefined,
  workspace: {
    // The section has settings that are not the server's.
    configuration: (params) =>
      params.items.map(({ section }) => (section === SECTION ? chosenSettings(reader) : null)),
  },
};
