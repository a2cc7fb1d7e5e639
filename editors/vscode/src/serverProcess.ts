/** The server's process, and how it ended. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";

/** How long the exit code may come after the streams have closed. */
const EXIT_AFTER_CLOSE_MS = 2000;
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
   * Start it. It runs in `folder`, and never in the workspace, whose files are not its programs.
   *
   * @throws Error - it cannot be started.
   */
  static async start(program: string, args: readonly string[], folder: string): Promise<ServerProcess> {
    const child = spawn(program, args, { cwd: folder, stdio: "pipe", windowsHide: true });
    const started = new ServerProcess(child);
    await once(child, "spawn");
    return started;
  }

  /** How it ended, in words; it is known to be ending. */
  async ending(): Promise<string> {
    const late = new Promise<string>((resolve) => {
      setTimeout(resolve, EXIT_AFTER_CLOSE_MS, "it closed its output");
    });
    return Promise.race([this.exited, late]);
  }

  /** What it said of its own error, if it did. */
  complaint(): string | undefined {
    const at = this.stderr.lastIndexOf("error: ");
    return at < 0 ? undefined : this.stderr.slice(at + "error: ".length).trim();
  }
}
