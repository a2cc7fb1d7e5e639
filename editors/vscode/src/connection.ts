/** A server and the client that talks to it, from start to end. */
import * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  MessageType,
  ShowMessageNotification,
  ShowMessageRequest,
  State,
  type CloseHandlerResult,
  type LanguageClientOptions,
  type MessageActionItem,
  type Middleware,
  type ShowMessageParams,
  type ShowMessageRequestParams,
} from "vscode-languageclient/node";
import { isAnsweredIn, isAutomatic, isWantedIn, reader, SECTION, SELECTOR } from "./configuration";
import { LOG } from "./core/actions";
import { withoutLinks } from "./core/messages";
import { chosenSettings, type StartSettings } from "./core/settings";
import { readStatus, type ServerStatus } from "./core/status";
import { reached } from "./core/milestones";
import { sayError } from "./say";
import { ServerProcess } from "./serverProcess";
import { ServerProgress } from "./serverProgress";
import { SharedDocuments } from "./sharedDocuments";
import { ShownReports } from "./shownReports";
import { LOADING, showAnswer, whyNothing } from "./whyNothing";

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
  private readonly documents = new SharedDocuments();
  private readonly progress = new ServerProgress();
  private readonly shown = new ShownReports();
  private isLoading = true;
  private server: ServerProcess | undefined;
  private starting: Promise<void> | undefined;

  constructor(private readonly parts: ConnectionParts) {
    const options = clientOptions(parts, this.middleware(), () => this.gone());
    this.client = new QuietClient(SECTION, "Copilot Server", () => this.spawned(), options);
    this.client.onNotification(ShowMessageNotification.type, showMessage);
    this.client.onRequest(ShowMessageRequest.type, askUser);
    this.client.onNotification("didChangeStatus", (params: unknown) => {
      const status = readStatus(params);
      if (status !== undefined) {
        this.isLoading = status.state === "loading";
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
    this.shown.dispose();
    this.progress.clear();
    if (this.client.state !== State.Running) {
      this.server?.kill(); // a client that is still starting cannot be stopped, but its server can
      await this.starting?.catch(() => undefined);
    }
    await this.client.dispose().catch((error: unknown) => {
      this.parts.log.warn(`The server did not stop properly: ${String(error)}`);
    });
    await this.server?.end();
  }

  /** Send the documents that the settings let the server have now. */
  async updateDocuments(): Promise<void> {
    await this.documents.update(this.client);
  }

  private middleware(): Middleware {
    return {
      ...this.documents.middleware,
      provideInlineCompletionItems: (document, position, context, token, next) =>
        this.complete(document, position, context, token, next),
      handleWorkDoneProgress: (token, value) => {
        this.progress.take(this.client, token, value);
      },
      executeCommand: (command, args, next) => {
        if (command.endsWith("didAcceptCompletionItem")) {
          reached("accepted");
        }
        return next(command, args) as unknown;
      },
      workspace: {
        // The section also has settings that do not belong to the server, and some that it takes only at its start.
        configuration: (params) =>
          params.items.map(({ section }) => (section === SECTION ? chosenSettings(reader) : null)),
      },
    };
  }

  /** Answer VS Code's request; tell a user who made it why there is nothing. */
  private async complete(
    ...[document, position, context, token, next]: Parameters<
      NonNullable<Middleware["provideInlineCompletionItems"]>
    >
  ): Promise<vscode.InlineCompletionItem[] | undefined> {
    const isInvoked = context.triggerKind === vscode.InlineCompletionTriggerKind.Invoke;
    const isWanted = isInvoked ? isAnsweredIn(document) : isWantedIn(document) && isAutomatic(document);
    if (!isWanted) {
      return undefined;
    }
    const asking = Promise.resolve(next(document, position, context, token));
    if (isInvoked && this.isLoading) {
      // The answer comes when the model is there, which may take minutes.
      void whyNothing(this.client, document, LOADING).then(showAnswer);
    }
    const answer = await asking;
    const items = Array.isArray(answer) ? answer : (answer?.items ?? []);
    this.shown.offered(this.client, document, position, context.selectedCompletionInfo, items);
    if (isInvoked && items.length === 0 && !token.isCancellationRequested) {
      void whyNothing(this.client, document).then(showAnswer);
    }
    return items;
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
    sayError(message, LOG);
  } else if (type === MessageType.Warning) {
    void vscode.window.showWarningMessage(shown);
  } else {
    void vscode.window.showInformationMessage(shown);
  }
}

/** Ask the user what the server asks, as the client would, but without links. */
function askUser({
  type,
  message,
  actions = [],
}: ShowMessageRequestParams): Thenable<MessageActionItem | undefined> {
  const shown = `Copilot Server: ${withoutLinks(message)}`;
  if (type === MessageType.Error) {
    return vscode.window.showErrorMessage(shown, ...actions);
  }
  return type === MessageType.Warning
    ? vscode.window.showWarningMessage(shown, ...actions)
    : vscode.window.showInformationMessage(shown, ...actions);
}

function clientOptions(
  parts: ConnectionParts,
  middleware: Middleware,
  closed: () => Promise<CloseHandlerResult>,
): LanguageClientOptions {
  return {
    documentSelector: SELECTOR.map((filter) => ({ scheme: filter.scheme ?? "file" })),
    initializationOptions: parts.settings,
    outputChannel: parts.log,
    middleware,
    errorHandler: { error: () => ({ action: ErrorAction.Continue, handled: true }), closed },
    // The caller that started the client shows the error.
    initializationFailedHandler: () => false,
  };
}
