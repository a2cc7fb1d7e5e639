/** The life of the server: it starts when first needed, restarts after a crash, and stops with the window. */
import { mkdir } from "node:fs/promises";
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import { isEnabledAnywhere, isWantedIn, reader, SECTION, text } from "./configuration";
import { Connection } from "./connection";
import { INSTALL, LOG, RESTART, SET_PATH, type Action } from "./core/actions";
import { afterCrash, type Crashes } from "./core/backoff";
import { fileFailure } from "./core/failures";
import type { Found } from "./core/locate";
import {
  changedSettings,
  haveChanged,
  needsRestart,
  startSettings,
  type StartSettings,
} from "./core/settings";
import { UNKNOWN_STATUS, type Phase } from "./core/status";
import { sayError, sayWarning } from "./say";
import { locateServer, missingMessage, watchInstallations } from "./server";

/** The extension's settings that take effect only when the server starts. */
const RESTARTING = ["serverPath", "logLevel"] as const;
/** The phases of a server that ends when suggestions are turned off, with the memory that its model takes. */
const ENDED_BY_OFF: ReadonlySet<Phase["kind"]> = new Set(["starting", "running", "restarting"]);

export class Session implements vscode.Disposable {
  private current: Phase = { kind: "idle" };
  private connection: Connection | undefined;
  /** Resolves when all servers that were stopped have ended. */
  private ended: Promise<unknown> = Promise.resolve();
  /** Counts starts and stops, so that an attempt notices that a newer one has replaced it. */
  private turn = 0;
  private started: StartSettings = {};
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
    return this.current.kind === "running" ? this.connection?.client : undefined;
  }

  /** Start the server as soon as a document is open that can have suggestions, and stop it when they are off. */
  watch(): void {
    const look = (): void => {
      if (this.current.kind === "idle" && vscode.workspace.textDocuments.some(isWantedIn)) {
        void this.launch();
      } else if (ENDED_BY_OFF.has(this.current.kind) && !isEnabledAnywhere()) {
        void this.stop();
      }
    };
    this.watches.push(
      vscode.workspace.onDidOpenTextDocument(look),
      vscode.workspace.onDidGrantWorkspaceTrust(() => {
        this.lookAgain();
      }),
      watchInstallations(this.context, () => {
        this.lookAgain();
      }),
      vscode.workspace.onDidChangeConfiguration((event) => {
        this.settingsChanged(event);
        look();
      }),
    );
    look();
  }

  /** Wait until the server answers or cannot be had; start it first if it has not been needed yet. */
  async ready(): Promise<void> {
    if (this.current.kind === "idle") {
      await this.launch();
    }
    while (this.current.kind === "starting") {
      await new Promise((resolve) => {
        const watch = this.onDidChangePhase(() => {
          watch.dispose();
          resolve(undefined);
        });
      });
    }
  }

  /** Restart the server, whatever its state. */
  async restart(): Promise<void> {
    const turn = await this.stop({ kind: "starting" });
    if (turn === this.turn) {
      this.crashes = [];
      await this.launch();
    }
  }

  /** Stop the server, and stay in `phase` until it starts again; returns the number of this turn. */
  async stop(phase: Phase = { kind: "idle" }): Promise<number> {
    const turn = ++this.turn;
    clearTimeout(this.restartTimer);
    this.leaveConnection();
    this.enter(phase);
    await this.ended;
    return turn;
  }

  /** The server's program, for other commands; if there is none, the user gets a message, and it is undefined. */
  async program(): Promise<Found | undefined> {
    try {
      const found = await this.locate();
      if (found === undefined) {
        this.offerServer();
      }
      return found;
    } catch (error) {
      this.say(sayError, fileFailure(error, this.folder).message, LOG);
      return undefined;
    }
  }

  /** Show that the server is being installed until it is, where there is none to go on with. */
  async installing(work: Thenable<void>): Promise<void> {
    if (this.current.kind === "missing" || this.current.kind === "idle") {
      this.enter({ kind: "installing" });
    }
    await work;
  }

  /** Start the server if there was none before. */
  lookAgain(): void {
    if (this.current.kind === "missing" || this.current.kind === "installing") {
      void this.launch();
    }
  }

  dispose(): void {
    void this.stop();
    vscode.Disposable.from(...this.watches).dispose();
  }

  private async launch(): Promise<void> {
    const turn = ++this.turn;
    if (!isEnabledAnywhere()) {
      this.enter({ kind: "idle" });
      return;
    }
    this.enter({ kind: "starting" });
    let found: Found | undefined;
    try {
      found = await this.locate();
    } catch (error) {
      if (turn === this.turn) {
        this.fail(`The server does not start: ${fileFailure(error, this.folder).message}`);
      }
      return;
    }
    await this.ended;
    if (turn !== this.turn) {
      return;
    }
    if (found === undefined) {
      this.enter({ kind: "missing", message: missingMessage(this.context) });
      this.offerServerOnce();
      return;
    }
    this.log.info(`The server is ${found.program} (${found.origin}).`);
    await this.connect(found.program);
  }

  private async connect(program: string): Promise<void> {
    const connection = this.makeConnection(program);
    this.connection = connection;
    try {
      await connection.start();
      if (this.connection === connection && this.current.kind === "starting") {
        this.enter({ kind: "running", status: UNKNOWN_STATUS });
        if (haveChanged(reader, this.started)) {
          this.sendSettings(); // they have changed since the server started
        }
      }
    } catch (error) {
      this.couldNotStart(connection, error instanceof Error ? error.message : String(error));
    }
  }

  private makeConnection(program: string): Connection {
    this.started = startSettings(reader);
    const connection: Connection = new Connection({
      program,
      args: ["--log-level", text("logLevel") || "warning"],
      folder: this.folder,
      log: this.log,
      settings: this.started,
      onStatus: (status) => {
        if (this.connection === connection) {
          this.enter({ kind: "running", status });
        }
      },
      onGone: (ending, complaint) => {
        this.gone(connection, ending, complaint);
      },
    });
    return connection;
  }

  /** The folder in which the server and its other commands run, which is never the workspace. */
  get folder(): string {
    return this.context.globalStorageUri.fsPath;
  }

  private gone(connection: Connection, ending: string, complaint: string | undefined): void {
    if (this.connection !== connection) {
      return;
    }
    if (this.current.kind === "starting") {
      this.couldNotStart(connection, complaint ?? ending);
      return;
    }
    this.connection = undefined;
    const verdict = afterCrash(this.crashes, performance.now() / 1000);
    this.crashes = verdict.crashes;
    if (verdict.delay_s === undefined) {
      this.fail(`The server keeps stopping (${ending}) and is not restarted.`);
      return;
    }
    const why = `The server stopped unexpectedly (${ending}).`;
    this.enter({ kind: "restarting", delay_s: verdict.delay_s, why });
    this.say(sayWarning, `${why} It restarts in ${verdict.delay_s} s.`, LOG);
    this.restartTimer = setTimeout(() => void this.launch(), verdict.delay_s * 1000);
  }

  /** A server that does not start at all would not start the next time, either. */
  private couldNotStart(connection: Connection, why: string): void {
    if (this.connection === connection) {
      this.leaveConnection();
      this.fail(`The server does not start: ${why}`);
    }
  }

  private leaveConnection(): void {
    this.ended = Promise.all([this.ended, this.connection?.end()]);
    this.connection = undefined;
  }

  private fail(message: string): void {
    this.enter({ kind: "failed", message });
    this.say(sayError, message, LOG, RESTART);
  }

  private offerServerOnce(): void {
    if (!this.hasOffered) {
      this.hasOffered = true;
      this.offerServer();
    }
  }

  private offerServer(): void {
    this.say(sayWarning, missingMessage(this.context), INSTALL, SET_PATH);
  }

  private say(
    show: (message: string, ...actions: readonly Action[]) => void,
    message: string,
    ...actions: readonly Action[]
  ): void {
    this.log.info(message);
    show(message, ...actions);
  }

  /**
   * Find the server, and make the folder that it runs in.
   *
   * @throws Error - If the folder cannot be made.
   */
  private async locate(): Promise<Found | undefined> {
    await mkdir(this.folder, { recursive: true });
    return locateServer(this.context);
  }

  private settingsChanged(event: vscode.ConfigurationChangeEvent): void {
    if (!event.affectsConfiguration(SECTION)) {
      return;
    }
    const affects = RESTARTING.some((name) => event.affectsConfiguration(`${SECTION}.${name}`));
    if (affects || needsRestart(reader, this.started)) {
      if (this.current.kind !== "idle") {
        void this.restart();
      }
      return;
    }
    this.sendSettings();
  }

  private sendSettings(): void {
    const settings = { [SECTION]: changedSettings(reader, this.started) };
    void this.running?.sendNotification("workspace/didChangeConfiguration", { settings });
    void this.connection?.updateDocuments();
  }

  private enter(phase: Phase): void {
    this.current = phase;
    this.changed.fire(phase);
  }
}
