/** What the server does that takes long and can be cancelled, such as fetching a model. */
import * as vscode from "vscode";
import {
  WorkDoneProgressCancelNotification,
  type LanguageClient,
  type ProgressToken,
  type WorkDoneProgressBegin,
  type WorkDoneProgressEnd,
  type WorkDoneProgressReport,
} from "vscode-languageclient/node";
import { withoutLinks } from "./core/messages";

type Value = WorkDoneProgressBegin | WorkDoneProgressReport | WorkDoneProgressEnd;

/** One message with a bar. */
interface Bar {
  readonly report: (value: WorkDoneProgressReport) => void;
  readonly end: () => void;
}

export class ServerProgress {
  private readonly bars = new Map<ProgressToken, Bar>();

  /** Show a step of the server's. What cannot be cancelled is left to our item in the status bar, which shows it too. */
  take(client: LanguageClient, token: ProgressToken, value: Value): void {
    if (value.kind === "begin") {
      if (value.cancellable === true) {
        this.begin(client, token, value);
      }
    } else if (value.kind === "report") {
      this.bars.get(token)?.report(value);
    } else {
      this.bars.get(token)?.end();
      this.bars.delete(token);
    }
  }

  /** End all messages, since the server has ended. */
  clear(): void {
    for (const { end } of this.bars.values()) {
      end();
    }
    this.bars.clear();
  }

  private begin(client: LanguageClient, token: ProgressToken, first: WorkDoneProgressBegin): void {
    const title = `Copilot Server: ${withoutLinks(first.title)}`;
    const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
    void vscode.window.withProgress(options, async (progress, cancelled) => {
      cancelled.onCancellationRequested(() => {
        void client.sendNotification(WorkDoneProgressCancelNotification.type, { token });
      });
      await new Promise<void>((resolve) => {
        const report = reporter(progress);
        this.bars.set(token, { report, end: resolve });
        report({ ...first, kind: "report" });
      });
    });
  }
}

/** Reports to a bar, which takes how much there is more, what the server reports as how much there is. */
function reporter(
  progress: vscode.Progress<{ message?: string; increment?: number }>,
): (value: WorkDoneProgressReport) => void {
  let reached = 0;
  return ({ message, percentage }) => {
    const increment = Math.max(0, (percentage ?? reached) - reached);
    reached += increment;
    progress.report({ increment, ...(message === undefined ? {} : { message: withoutLinks(message) }) });
  };
}
