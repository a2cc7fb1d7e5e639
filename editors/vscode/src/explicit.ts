/** What the user asks for by a key or a command: it is answered always, by a suggestion or by why there is none. */
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import { switches } from "./configuration";
import { obstacle } from "./core/reasons";
import { sayBriefly } from "./say";
import type { Session } from "./session";
import { showAnswer } from "./whyNothing";

/** What the key says of where it was pressed. */
interface Pressed {
  /** Whether VS Code would show no suggestion: it does not while a snippet's fields are filled in. */
  readonly isHidden?: boolean;
}

/** Request a suggestion at the cursor. What VS Code's own command finds nothing for, the client explains. */
export async function trigger(session: Session, pressed?: Pressed): Promise<void> {
  if ((await serverFor(session, vscode.window.activeTextEditor?.document)) === undefined) {
    return;
  }
  if (pressed?.isHidden === true) {
    sayBriefly("VS Code shows no suggestions while you fill in a snippet. Escape leaves it.");
    return;
  }
  await vscode.commands.executeCommand("editor.action.inlineSuggest.trigger");
}

/** The client for a request in `document`, once its server runs; undefined if it cannot be asked, which is shown. */
export async function serverFor(
  session: Session,
  document: vscode.TextDocument | undefined,
): Promise<LanguageClient | undefined> {
  const { kind } = session.phase;
  const now = switches(document);
  if (now.enabled && now.language !== undefined && (kind === "idle" || kind === "starting")) {
    const ready = session.ready();
    sayBriefly("The server is starting.", ready);
    await ready;
  }
  const answer = obstacle(session.phase, now);
  if (answer !== undefined) {
    showAnswer(answer);
  }
  return answer === undefined ? session.running : undefined;
}

/** Fetch the model, which the user has agreed to by asking for it. */
export async function fetchModel(session: Session): Promise<void> {
  await session.ready();
  await session.running?.sendRequest("copilotServer/fetchModel").catch((error: unknown) => {
    session.log.error(`copilotServer/fetchModel: ${String(error)}`); // the server shows why
  });
}
