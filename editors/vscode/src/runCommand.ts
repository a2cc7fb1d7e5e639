/** Running one of the server's commands while the user waits. */
import * as vscode from "vscode";
import { run, type Ended } from "./core/program";
import type { Session } from "./session";

/** Run it with a message that can cancel it; undefined if the user has cancelled it, or if there is no server. */
export async function runCommand(
  session: Session,
  title: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Ended | undefined> {
  const found = await session.program();
  if (found === undefined) {
    return undefined;
  }
  const options = {
    location: vscode.ProgressLocation.Notification,
    title: `Copilot Server: ${title}`,
    cancellable: true,
  };
  const ended = await vscode.window.withProgress(options, async (_progress, token) => {
    const abort = new AbortController();
    token.onCancellationRequested(() => {
      abort.abort();
    });
    const result = await run(found.program, args, { cwd: session.folder, env, signal: abort.signal });
    return abort.signal.aborted ? undefined : result;
  });
  return ended;
}
