/** The server's process, and how it ended. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";

/** How long after the closing of the streams the exit code may come. */
const EXIT_AFTER_CLOSE_MS = 2000;
/** How long a server may take to end after it is asked to. */
const GRACE_MS = 3000;
const KEPT_CHARACTERS = 2000;

export class ServerProcess {
  private stderr = "";
  private readonly exited: Promise<string>;

  private constructor(readonly child: ChildProcess) {
    this.exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        resolve(signal === null ? `exit code ${code ?? "unknown"}` : `signal ${signal}`);
      });
    });
    child.stderr?.on("data", (piece: Buffer) => {
      this.stderr = (this.stderr + piece.toString("utf8")).slice(-KEPT_CHARACTERS);
    });
  }

  /**
   * Start the process in `folder`, never in the workspace, whose files it must not run.
   *
   * @throws Error - If it cannot be started.
   */
  static async start(program: string, args: readonly string[], folder: string): Promise<ServerProcess> {
    const child = spawn(program, args, { cwd: folder, stdio: "pipe", windowsHide: true });
    const started = new ServerProcess(child);
    await once(child, "spawn");
    return started;
  }

  /** Describe how the process, which is already ending, has ended. */
  ending(): Promise<string> {
    return this.exitedWithin(EXIT_AFTER_CLOSE_MS, "it closed its output");
  }

  /** Wait until the process has ended, and kill it if it does not end in time. */
  async end(): Promise<void> {
    if ((await this.exitedWithin(GRACE_MS, "")) === "") {
      this.kill();
      await this.exited;
    }
  }

  kill(): void {
    this.child.kill("SIGKILL");
  }

  /** What the server wrote about its error, if anything. */
  complaint(): string | undefined {
    const at = this.stderr.lastIndexOf("error: ");
    return at < 0 ? undefined : this.stderr.slice(at + "error: ".length).trim();
  }

  private exitedWithin(patience_ms: number, otherwise: string): Promise<string> {
    const late = new Promise<string>((resolve) => {
      setTimeout(resolve, patience_ms, otherwise).unref();
    });
    return Promise.race([this.exited, late]);
  }
}
