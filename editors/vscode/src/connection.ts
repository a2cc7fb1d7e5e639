/** A server and the client that talks to it, from start to end. */
import * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  MessageType,
  ShowMessageNotification,
  State,
  type CloseHandlerResult,
  type LanguageClientOptions,
  type Middleware,
  type ShowMessageParams,
} from "vscode-languageclient/node";
import { isWantedIn, reader, SECTION, SELECTOR } from "./configuration";
import { withoutLinks } from "./core/messages";
import { chosenSettings, type StartSettings } from "./core/settings";
import { readStatus, type ServerStatus } from "./core/status";
import { ServerProcess } from "./serverProcess";

export interface ConnectionParts {
  readonly program: string;
  readonly args: readonly string[];
  /** The folder that the server runs in. */
  readonly folder: string;
  readonly log: vscode.LogOutputChannel;
  readonly settings: StartSettings;
  readonly onStatus: (status: ServerStatus) => void;
  /** Called once if the server ends without being stopped, with how it ended and what it wrote. */
  readonly onGone: (ending: string, complaint: string | undefined) => void;
}

export class Connection {
  readonly client: LanguageClient;
  private server: ServerProcess | undefined;
  private starting: Promise<void> | undefined;

  constructor(private readonly parts: ConnectionParts) {
    const options = clientOptions(parts, () => this.gone());
    this.client = new QuietClient(SECTION, "Copilot Server", () => this.spawned(), options);
    this.client.onNotification(ShowMessageNotification.type, showMessage);
    this.client.onNotification("didChangeStatus", (params: unknown) => {
      const status = readStatus(params);
      if (status !== undefined) {
        parts.onStatus(status);
      }
    });
  }

  /**
   * Start the server and initialize it.
   *
   * @throws Error - If the server does not start.
   */
  start(): Promise<void> {
    this.starting = this.client.start();
    return this.starting;
  }

  /** End the server, even while it is starting. Afterwards its process and its registrations are gone. */
  async end(): Promise<void> {
    if (this.client.state !== State.Running) {
      this.server?.kill(); // a client that is still starting cannot be stopped, but its server can
      await this.starting?.catch(() => undefined);
    }
    await this.client.dispose().catch((error: unknown) => {
      this.parts.log.warn(`The server did not stop properly: ${String(error)}`);
    });
    await this.server?.end();
  }

  private async spawned(): Promise<ServerProcess["child"]> {
    const { program, args, folder, log } = this.parts;
    this.server = await ServerProcess.start(program, args, folder);
    log.info(`Started ${program}, process ${this.server.child.pid ?? "unknown"}.`);
    return this.server.child;
  }

  private async gone(): Promise<CloseHandlerResult> {
    const ending = (await this.server?.ending()) ?? "it did not start";
    this.parts.onGone(ending, this.server?.complaint());
    return { action: CloseAction.DoNotRestart, handled: true };
  }
}

/** Log errors of the connection. The user gets our own messages, which say what to do. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

/** Show a message of the server, as the client would, but without links. */
function showMessage({ type, message }: ShowMessageParams): void {
  const shown = withoutLinks(message);
  if (type === MessageType.Error) {
    void vscode.window.showErrorMessage(shown);
  } else if (type === MessageType.Warning) {
    void vscode.window.showWarningMessage(shown);
  } else {
    void vscode.window.showInformationMessage(shown);
  }
}

function clientOptions(
  parts: ConnectionParts,
  closed: () => Promise<CloseHandlerResult>,
): LanguageClientOptions {
  return {
    documentSelector: SELECTOR.map((filter) => ({ scheme: filter.scheme ?? "file" })),
    initializationOptions: parts.settings,
    outputChannel: parts.log,
    middleware: MIDDLEWARE,
    errorHandler: { error: () => ({ action: ErrorAction.Continue, handled: true }), closed },
    // The caller that started the client shows the error.
    initializationFailedHandler: () => false,
  };
}

const MIDDLEWARE: Middleware = {
  provideInlineCompletionItems: (document, position, context, token, next) =>
    isWantedIn(document) ? next(document, position, context, token) : undefined,
  // Our own item in the status bar shows the progress of loading.
  handleWorkDoneProgress: () => undefined,
  workspace: {
    // The section also has settings that do not belong to the server, and some that it takes only at its start.
    configuration: (params) =>
      params.items.map(({ section }) => (section === SECTION ? chosenSettings(reader) : null)),
  },
};
