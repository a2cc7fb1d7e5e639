/** What the status bar's menu offers. */
import { choiceOf, engineOf, reasonOf, type Phase, type Switches } from "./status";

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
    { title: "Suggestions", entries: suggestions(phase, switches) },
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
  const reason = reasonOf(phase);
  if (reason === "consent") {
    entries.push({ label: "$(cloud-download) Fetch the model…", command: "copilot-server.fetchModel" });
  }
  const hasFailed =
    phase.kind === "failed" ||
    (phase.kind === "running" && phase.status.state === "error" && reason !== "consent");
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

function suggestions(phase: Phase, switches: Switches): MenuEntry[] {
  const { enabled, hasWorkspace, isOffHere } = switches;
  const everywhere: MenuEntry = {
    label: enabled ? "$(circle-slash) Turn suggestions off" : "$(sparkle) Turn suggestions on",
    command: "copilot-server.toggle",
  };
  const workspace: MenuEntry = {
    label: `${enabled ? "$(circle-slash) Turn suggestions off" : "$(sparkle) Turn suggestions on"} in this workspace`,
    command: "copilot-server.toggleWorkspace",
  };
  const entries = isOffHere ? [workspace] : hasWorkspace ? [everywhere, workspace] : [everywhere];
  return enabled ? [...entries, ...whileOn(phase, switches)] : entries;
}

function whileOn(phase: Phase, { automatic, language }: Switches): MenuEntry[] {
  const entries: MenuEntry[] = [];
  if (phase.kind === "running") {
    entries.push(snooze(reasonOf(phase) === "snoozed"));
  }
  entries.push({
    label: automatic ? "$(keyboard) Suggest only when asked" : "$(zap) Suggest automatically",
    command: "copilot-server.toggleAutomatic",
  });
  if (language !== undefined) {
    entries.push({
      label: language.on
        ? `$(circle-slash) Turn suggestions off for ${language.id}`
        : `$(sparkle) Turn suggestions on for ${language.id}`,
      command: "copilot-server.toggleLanguage",
    });
    entries.push({
      label: "$(split-horizontal) Show several suggestions side by side",
      command: "copilot-server.panel",
    });
  }
  return entries;
}

function snooze(isSnoozed: boolean): MenuEntry {
  return isSnoozed
    ? { label: "$(bell) Resume suggestions", command: "copilot-server.resume" }
    : { label: "$(bell-slash) Snooze suggestions…", command: "copilot-server.snooze" };
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
