/** The server's life: started when it is first needed, started again when it crashes, stopped at the end. */
import { mkdir } from "node:fs/promises";
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import { makeClient } from "./client";
import { isWantedIn, reader, SECTION, text } from "./configuration";
import { afterCrash, type Crashes } from "./core/backoff";
import type { Found } from "./core/locate";
import { changedSettings, chosenSettings, type Values } from "./core/settings";
import { UNKNOWN_STATUS, type Phase } from "./core/status";
import { locateServer, missingMessage } from "./server";

/** Settings that a running server cannot take. */
const RESTARTING = ["serverPath", "logLevel"] as const;

export class Session implements vscode.Disposable {
  private current: Phase = { kind: "idle" };
  private client: LanguageClient | undefined;
  private started: Values = {};
  private crashes: Crashes = [];
  private restartTimer: NodeJS.Timeout | undefined;
  private hasOffered = false;
  private readonly changed = new vscode.EventEmitter<Phase>();
  private readonly watches: { dispose(): unknown }[] = [this.changed];

  readonly onDidChangePhase = this.changed.event;

  constructor(
    private readonly context: vscode.ExtensionContext,
    readonly log: vscode.LogOutputChannel,
  ) {}

  get phase(): Phase {
    return this.current;
  }

  /** The client, while its server answers. */
  get running(): LanguageClient | undefined {
    return this.current.kind === "running" ? this.client : undefined;
  }

  /** Start the server as soon as a document is open that wants suggestions. */
  watch(): void {
    const look = (): void => {
      if (this.current.kind === "idle" && vscode.workspace.textDocuments.some(isWantedIn)) {
        void this.launch();
      }
    };
    this.watches.push(
      vscode.workspace.onDidOpenTextDocument(look),
      vscode.workspace.onDidGrantWorkspaceTrust(() => {
        this.retryIfMissing();
      }),
      vscode.workspace.onDidChangeConfiguration((event) => {
        this.settingsChanged(event);
        look();
      }),
    );
    look();
  }

  /** Start the server anew, from wherever it is now. */
  async restart(): Promise<void> {
    await this.stop();
    this.crashes = [];
    await this.launch();
  }

  /** Stop the server. */
  async stop(): Promise<void> {
    clearTimeout(this.restartTimer);
    const { client } = this;
    this.client = undefined;
    this.enter({ kind: "idle" });
    await client?.dispose().catch((error: unknown) => {
      this.log.warn(`The server did not stop in order: ${String(error)}`);
    });
  }

  /** The server's program, for running it beside; undefined if there is none, which is then told. */
  async program(): Promise<Found | undefined> {
    const found = await locateServer(this.context);
    if (found === undefined) {
      this.offerServer();
    }
    return found;
  }

  dispose(): void {
    void this.stop();
    vscode.Disposable.from(...this.watches).dispose();
  }

  private async launch(): Promise<void> {
    this.enter({ kind: "starting" });
    const found = await locateServer(this.context);
    if (found === undefined) {
      this.enter({ kind: "missing", message: missingMessage() });
      this.offerServerOnce();
      return;
    }
    this.log.info(`The server is ${found.program} (${found.origin}).`);
    const client = await this.makeClient(found.program);
    this.client = client;
    try {
      await client.start();
      if (this.client === client && this.current.kind === "starting") {
        this.enter({ kind: "running", status: UNKNOWN_STATUS });
      }
    } catch (error) {
      this.couldNotStart(client, String(error));
    }
  }

  private async makeClient(program: string): Promise<LanguageClient> {
    const folder = this.context.globalStorageUri.fsPath;
    await mkdir(folder, { recursive: true });
    this.started = chosenSettings(reader);
    const client: LanguageClient = makeClient({
      program,
      args: ["--log-level", text("logLevel") || "warning"],
      folder,
      log: this.log,
      settings: this.started,
      onStatus: (status) => {
        if (this.client === client) {
          this.enter({ kind: "running", status });
        }
      },
      onGone: (ending, complaint) => {
        this.gone(client, ending, complaint);
      },
    });
    return client;
  }

  private gone(client: LanguageClient, ending: string, complaint: string | undefined): void {
    if (this.client !== client) {
      return;
    }
    if (this.current.kind === "starting") {
      this.couldNotStart(client, complaint ?? ending);
      return;
    }
    this.client = undefined;
    const verdict = afterCrash(this.crashes, performance.now() / 1000);
    this.crashes = verdict.crashes;
    if (verdict.delay_s === undefined) {
      this.fail(`The server keeps stopping (${ending}), and is not started again.`);
      return;
    }
    const why = `The server stopped unexpectedly (${ending}).`;
    this.enter({ kind: "restarting", delay_s: verdict.delay_s, why });
    this.say(vscode.window.showWarningMessage, `${why} It is started again in ${verdict.delay_s} s.`, LOG);
    this.restartTimer = setTimeout(() => void this.launch(), verdict.delay_s * 1000);
  }

  /** A server that does not even start would not the next time either. */
  private couldNotStart(client: LanguageClient, why: string): void {
    if (this.client === client) {
      this.client = undefined;
      this.fail(`The server does not start: ${why}`);
    }
  }

  private fail(message: string): void {
    this.enter({ kind: "failed", message });
    this.say(vscode.window.showErrorMessage, message, LOG, RESTART);
  }

  private offerServerOnce(): void {
    if (!this.hasOffered) {
      this.hasOffered = true;
      this.offerServer();
    }
  }

  private offerServer(): void {
    this.say(vscode.window.showWarningMessage, missingMessage(), INSTALL, SET_PATH);
  }

  private say(
    show: (message: string, ...titles: string[]) => Thenable<string | undefined>,
    message: string,
    ...actions: readonly Action[]
  ): void {
    this.log.info(message);
    const titles = actions.map((action) => action.title);
    void show(`Copilot Server: ${message}`, ...titles).then((title) => {
      const action = actions.find((one) => one.title === title);
      return action && vscode.commands.executeCommand(action.command, ...(action.args ?? []));
    });
  }

  private retryIfMissing(): void {
    if (this.current.kind === "missing") {
      this.enter({ kind: "idle" });
      void this.launch();
    }
  }

  private settingsChanged(event: vscode.ConfigurationChangeEvent): void {
    if (!event.affectsConfiguration(SECTION)) {
      return;
    }
    if (RESTARTING.some((name) => event.affectsConfiguration(`${SECTION}.${name}`))) {
      if (this.current.kind !== "idle") {
        void this.restart();
      }
      return;
    }
    const settings = { [SECTION]: changedSettings(reader, this.started) };
    void this.running?.sendNotification("workspace/didChangeConfiguration", { settings });
  }

  private enter(phase: Phase): void {
    this.current = phase;
    this.changed.fire(phase);
  }
}

interface Action {
  readonly title: string;
  readonly command: string;
  readonly args?: readonly unknown[];
}

const LOG: Action = { title: "Show Log", command: "copilot-server.showLog" };
const RESTART: Action = { title: "Restart", command: "copilot-server.restart" };
const INSTALL: Action = { title: "Install…", command: "copilot-server.install" };
const SET_PATH: Action = {
  title: "Set Path",
  command: "workbench.action.openSettings",
  args: ["copilot-server.serverPath"],
};
