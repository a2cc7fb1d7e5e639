/** What the status bar's menu offers. */
import { choiceOf, engineOf, type Phase, type Switches } from "./status";

export interface MenuEntry {
  readonly label: string;
  readonly description?: string;
  /** A second line. */
  readonly detail?: string;
  readonly command: string;
  readonly args?: readonly unknown[];
}

export interface MenuGroup {
  readonly title: string;
  readonly entries: readonly MenuEntry[];
}

/** The menu, which begins with what may fix a problem. */
export function menuGroups(phase: Phase, switches: Switches, model: string): readonly MenuGroup[] {
  const groups = [
    { title: "To do", entries: remedies(phase, switches) },
    { title: "Suggestions", entries: suggestions(switches) },
    { title: "Model", entries: modelEntries(model, engineOf(phase), choiceOf(phase)) },
    { title: "Server", entries: SERVER_ENTRIES },
  ];
  return groups.filter((group) => group.entries.length > 0);
}

function remedies(phase: Phase, switches: Switches): MenuEntry[] {
  const entries: MenuEntry[] = [];
  if (phase.kind === "missing") {
    entries.push({ label: "$(cloud-download) Install the server…", command: "copilot-server.install" });
    entries.push({
      label: "$(folder) Set its path…",
      command: "workbench.action.openSettings",
      args: ["copilot-server.serverPath"],
    });
  }
  const hasFailed = phase.kind === "failed" || (phase.kind === "running" && phase.status.state === "error");
  if (hasFailed) {
    entries.push({ label: "$(output) See what went wrong", command: "copilot-server.showLog" });
    entries.push({ label: "$(debug-restart) Try again", command: "copilot-server.restart" });
  }
  if (!switches.ghostText) {
    entries.push({
      label: "$(warning) Turn on VS Code's ghost text…",
      description: "editor.inlineSuggest.enabled",
      command: "workbench.action.openSettings",
      args: ["editor.inlineSuggest.enabled"],
    });
  }
  return entries;
}

function suggestions({ enabled, language }: Switches): MenuEntry[] {
  const everywhere: MenuEntry = {
    label: enabled ? "$(circle-slash) Turn suggestions off" : "$(sparkle) Turn suggestions on",
    command: "copilot-server.toggle",
  };
  if (language === undefined) {
    return [everywhere];
  }
  const here: MenuEntry = {
    label: language.on
      ? `$(circle-slash) Turn suggestions off for ${language.id}`
      : `$(sparkle) Turn suggestions on for ${language.id}`,
    command: "copilot-server.toggleLanguage",
  };
  const panel: MenuEntry = {
    label: "$(split-horizontal) Show several suggestions side by side",
    command: "copilot-server.panel",
  };
  return enabled && language.on ? [everywhere, here, panel] : enabled ? [everywhere, here] : [everywhere];
}

function modelEntries(model: string, engine: string, choice: string): MenuEntry[] {
  const select: MenuEntry = {
    label: "$(server-environment) Select model…",
    description: model,
    ...(choice === "" ? {} : { detail: choice }),
    command: "copilot-server.selectModel",
  };
  const away: MenuEntry = {
    label: `$(cloud) The model runs at ${engine}…`,
    description: model,
    command: "workbench.action.openSettings",
    args: ["copilot-server.engine"],
  };
  return [
    engine === "" ? select : away,
    { label: "$(beaker) Run self-test…", description: "HumanEval", command: "copilot-server.selfTest" },
    { label: "$(graph) Show statistics", command: "copilot-server.stats" },
  ];
}

const SERVER_ENTRIES: readonly MenuEntry[] = [
  { label: "$(output) Show log", command: "copilot-server.showLog" },
  { label: "$(debug-restart) Restart server", command: "copilot-server.restart" },
  {
    label: "$(gear) Settings…",
    command: "workbench.action.openSettings",
    args: ["@ext:copilot-server.copilot-server"],
  },
];
