/** What VS Code in a browser runs, where there is no machine for the server: it says so. */
import * as vscode from "vscode";

const REASON =
  "Suggestions are computed by a program on the machine that your files are on, and VS Code in a browser has none. " +
  "Open the folder in VS Code on your machine, or connect to a machine (Remote - Tunnels, Remote - SSH, a codespace).";

interface Manifest {
  readonly displayName: string;
  readonly contributes: { readonly commands: readonly { readonly command: string }[] };
}

export function activate(context: vscode.ExtensionContext): void {
  const { displayName, contributes } = context.extension.packageJSON as Manifest;
  const item = vscode.window.createStatusBarItem("status", vscode.StatusBarAlignment.Right, 100);
  item.name = displayName;
  item.text = `$(circle-slash) ${displayName}`;
  item.tooltip = REASON;
  item.command = "copilot-server.menu";
  item.show();
  const commands = contributes.commands.map(({ command }) =>
    vscode.commands.registerCommand(command, () => vscode.window.showInformationMessage(REASON)),
  );
  context.subscriptions.push(item, ...commands);
}
