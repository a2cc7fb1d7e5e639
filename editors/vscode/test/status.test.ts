import assert from "node:assert/strict";
import { test } from "node:test";
import { menuGroups } from "../src/core/menu";
import { withoutLinks } from "../src/core/messages";
import {
  modelOf,
  readStatus,
  statusView,
  UNKNOWN_STATUS,
  type Phase,
  type ServerStatus,
  type Switches,
} from "../src/core/status";

const ON: Switches = {
  enabled: true,
  isOffHere: false,
  hasWorkspace: true,
  automatic: true,
  language: { id: "python", on: true },
  ghostText: true,
};
const READY: Phase = { kind: "running", status: { ...UNKNOWN_STATUS, state: "ready", model: "a-model" } };
const FAILED: Phase = { kind: "failed", message: "It keeps stopping." };

function labels(phase: Phase, switches: Switches): readonly string[] {
  return menuGroups(phase, switches, "a-model").flatMap(({ entries }) => entries.map(({ label }) => label));
}

test("a status of the server is read", () => {
  const sent = {
    kind: "Normal",
    busy: true,
    message: "Loading",
    state: "loading",
    percent: 41.7,
    model: "m",
  };
  const read = {
    ...{ state: "loading", percent: 42, message: "Loading", model: "m", engine: "", choice: "" },
    reason: undefined,
    examples: undefined,
  };
  assert.deepEqual(readStatus(sent), read);
  assert.deepEqual(readStatus({ ...sent, engine: null }), read);
  assert.equal(readStatus({ ...sent, engine: "gpu:8000" })?.engine, "gpu:8000");
  assert.equal(readStatus({ ...sent, reason: "snoozed" })?.reason, "snoozed");
  assert.equal(readStatus({ ...sent, reason: "a newer server's" })?.reason, undefined);
  assert.equal(readStatus({ ...sent, percent: null })?.percent, undefined);
  assert.equal(readStatus({ ...sent, percent: 1e9 })?.percent, 100);
});

test("an invalid status is ignored", () => {
  for (const wrong of [null, undefined, "ready", 3, [], {}, { state: "asleep" }, { state: 1 }]) {
    assert.equal(readStatus(wrong), undefined);
  }
});

test("loading shows its progress", () => {
  const status = { ...UNKNOWN_STATUS, percent: 42, model: "a-model" };
  const view = statusView({ kind: "running", status }, ON);
  assert.equal(view.text, "$(loading~spin) 42% Copilot Server");
  assert.equal(view.summary, "Copilot Server: loading the model 42% (a-model)");
});

test("ready and thinking name the model, and are not warnings", () => {
  assert.equal(statusView(READY, ON).summary, "Copilot Server: ready (a-model)");
  assert.equal(statusView(READY, ON).severity, "normal");
  const thinking: Phase = { kind: "running", status: { ...UNKNOWN_STATUS, state: "thinking" } };
  assert.equal(statusView(thinking, ON).summary, "Copilot Server: thinking");
});

test("where the model has no suggestion, the tooltip says why", () => {
  const message = "Ready. The model has nothing to suggest here.";
  const status: ServerStatus = { ...UNKNOWN_STATUS, state: "ready", message, reason: "nothing" };
  assert.equal(statusView({ kind: "running", status }, ON).summary, "Copilot Server: ready");
  const shown = (changes: Partial<ServerStatus>): string =>
    statusView({ kind: "running", status: { ...status, ...changes } }, ON).remedy;
  assert.equal(shown({}), "The model has nothing to suggest here.");
  assert.equal(shown({ reason: undefined }), "");
});

test("whether the suggestion passes the examples is in the icon and the tooltip", () => {
  const message = "Ready. The suggestion: 2 of 2 examples pass.";
  const view = (examples: unknown): [string, string] => {
    const status = readStatus({ state: "ready", message, examples });
    assert.ok(status);
    const { text, remedy } = statusView({ kind: "running", status }, ON);
    return [text, remedy];
  };
  const said = "The suggestion: 2 of 2 examples pass.";
  assert.deepEqual(view("passed"), ["$(testing-passed-icon) Copilot Server", said]);
  assert.deepEqual(view("failed"), ["$(testing-failed-icon) Copilot Server", said]);
  assert.deepEqual(view("unchecked"), ["$(sparkle) Copilot Server", said]);
  assert.deepEqual(view("great"), ["$(sparkle) Copilot Server", ""]);
});

test("a switch that is off is shown instead of the server's state", () => {
  const everywhere = statusView(READY, { ...ON, enabled: false });
  assert.equal(everywhere.summary, "Copilot Server: suggestions are off");
  const here = statusView(READY, { ...ON, language: { id: "python", on: false } });
  assert.equal(here.summary, "Copilot Server: suggestions are off for python");
  const ghosts = statusView(READY, { ...ON, ghostText: false });
  assert.match(ghosts.remedy, /editor\.inlineSuggest\.enabled/);
});

test("errors are shown with their remedy even if suggestions are off", () => {
  const view = statusView(FAILED, { ...ON, enabled: false });
  assert.equal(view.severity, "error");
  assert.equal(view.remedy, "It keeps stopping.");
  const error: Phase = {
    kind: "running",
    status: { ...UNKNOWN_STATUS, state: "error", message: "Free disk." },
  };
  assert.equal(statusView(error, ON).severity, "error");
  assert.equal(statusView(error, ON).remedy, "Free disk.");
});

function elsewhere(changes: Partial<ServerStatus>): Phase {
  const engine = "gpu.example.com:8000";
  return { kind: "running", status: { ...UNKNOWN_STATUS, state: "ready", model: "m", engine, ...changes } };
}

test("the bar and its tooltip show where the source is sent", () => {
  const ready = statusView(elsewhere({}), ON);
  assert.equal(ready.text, "$(sparkle) Copilot Server: gpu.example.com:8000");
  assert.equal(ready.summary, "Copilot Server: ready (m at gpu.example.com:8000)");
  assert.equal(ready.privacy, "What is completed is sent to the engine at gpu.example.com:8000.");
  const unnamed = statusView(elsewhere({ state: "thinking", model: "" }), ON);
  assert.equal(unnamed.summary, "Copilot Server: thinking (at gpu.example.com:8000)");
  const loading = statusView(elsewhere({ state: "loading" }), ON);
  assert.equal(loading.summary, "Copilot Server: connecting to gpu.example.com:8000");
  assert.equal(loading.text, "$(loading~spin) Copilot Server: gpu.example.com:8000");
});

test("no host is named if the model runs in the server or suggestions are off", () => {
  const off = statusView(elsewhere({ state: "off", message: "This file is excluded." }), ON);
  assert.equal(off.summary, "Copilot Server: This file is excluded.");
  for (const view of [off, statusView(READY, ON), statusView(elsewhere({}), { ...ON, enabled: false })]) {
    assert.equal(view.privacy, "");
    assert.doesNotMatch(view.text + view.summary, /:8000| at /);
  }
});

test("of several hosts or a long one the bar shows what fits, and the tooltip everything", () => {
  const several = statusView(elsewhere({ engine: "a:1, b:2, c:3" }), ON);
  assert.equal(several.text, "$(sparkle) Copilot Server: a:1 +2");
  assert.match(several.privacy, /a:1, b:2, c:3/);
  const long = statusView(elsewhere({ engine: `${"x".repeat(60)}.example.com` }), ON);
  assert.equal(long.text, `$(sparkle) Copilot Server: ${"x".repeat(27)}…`);
  assert.match(long.privacy, /x{60}\.example\.com/);
});

test("an engine that is unreachable is an error with its message, until it is back", () => {
  const message = "The engine at gpu.example.com:8000 cannot be reached. Trying again.";
  const away = statusView(elsewhere({ state: "error", message }), ON);
  assert.equal(away.severity, "error");
  assert.equal(away.text, "$(error) Copilot Server: gpu.example.com:8000");
  assert.equal(away.remedy, message);
  const back = statusView(elsewhere({ message: "Ready" }), ON);
  assert.equal(back.severity, "normal");
  assert.equal(back.remedy, "");
});

test("the menu says where the model runs, and leaves the choice of it to the engine", () => {
  const away = labels(elsewhere({}), ON);
  assert.ok(away.includes("$(cloud) The model runs at gpu.example.com:8000…"));
  assert.ok(!away.includes("$(server-environment) Select model…"));
  assert.ok(labels(READY, ON).includes("$(server-environment) Select model…"));
});

test("the model shown is the one that the server reports, or for a local one that of the settings", () => {
  assert.equal(modelOf(READY, "configured"), "a-model");
  assert.equal(modelOf({ kind: "idle" }, "configured"), "configured");
  assert.equal(modelOf({ kind: "running", status: UNKNOWN_STATUS }, "configured"), "configured");
  assert.equal(modelOf(elsewhere({ model: "" }), "configured"), "");
});

test("the menu and the tooltip say why the server chose the model", () => {
  const choice = "m is the largest model here.";
  const chosen: Phase = {
    kind: "running",
    status: { ...UNKNOWN_STATUS, state: "ready", model: "m", choice },
  };
  assert.equal(readStatus({ state: "ready", choice })?.choice, choice);
  assert.equal(readStatus({ state: "ready", choice: null })?.choice, "");
  assert.equal(statusView(chosen, ON).choice, choice);
  assert.equal(statusView(READY, ON).choice, "");
  const details = (phase: Phase) =>
    menuGroups(phase, ON, "m").flatMap(({ entries }) => entries.flatMap(({ detail }) => detail ?? []));
  assert.deepEqual(details(chosen), [choice]);
  assert.deepEqual(details(READY), []);
});

test("the menu begins with what fixes an error", () => {
  assert.equal(labels(FAILED, ON)[0], "$(output) See what went wrong");
  assert.equal(labels({ kind: "missing", message: "" }, ON)[0], "$(cloud-download) Install the server…");
  assert.equal(labels(READY, ON)[0], "$(circle-slash) Turn suggestions off");
});

test("the menu offers the opposite of each switch's state", () => {
  const off = labels(READY, { ...ON, language: { id: "python", on: false } });
  assert.ok(off.includes("$(sparkle) Turn suggestions on for python"));
  for (const switches of [ON, { ...ON, language: { id: "python", on: false } }]) {
    assert.ok(labels(READY, switches).some((label) => label.includes("side by side"))); // the user may ask
  }
  assert.ok(!labels(READY, { ...ON, enabled: false }).some((label) => label.includes("side by side")));
  assert.deepEqual(
    labels(READY, { ...ON, language: undefined }).filter((label) => label.includes("python")),
    [],
  );
});

test("the menu has the workspace's own switch, and only that where the workspace decides", () => {
  assert.ok(labels(READY, ON).includes("$(circle-slash) Turn suggestions off in this workspace"));
  assert.ok(!labels(READY, { ...ON, hasWorkspace: false }).some((label) => label.includes("workspace")));
  const off = labels({ kind: "idle" }, { ...ON, enabled: false, isOffHere: true });
  assert.equal(off[0], "$(sparkle) Turn suggestions on in this workspace");
  assert.ok(!off.includes("$(sparkle) Turn suggestions on"));
  const view = statusView({ kind: "idle" }, { ...ON, enabled: false, isOffHere: true });
  assert.equal(view.summary, "Copilot Server: suggestions are off in this workspace");
});

test("the menu snoozes and resumes, and the bar says until when", () => {
  assert.ok(labels(READY, ON).includes("$(bell-slash) Snooze suggestions…"));
  const message = "Snoozed until 14:30.";
  const status: ServerStatus = { ...UNKNOWN_STATUS, state: "off", reason: "snoozed", message };
  const snoozed: Phase = { kind: "running", status };
  assert.ok(labels(snoozed, ON).includes("$(bell) Resume suggestions"));
  assert.ok(!labels(snoozed, ON).includes("$(bell-slash) Snooze suggestions…"));
  assert.equal(statusView(snoozed, ON).summary, `Copilot Server: ${message}`);
  assert.ok(!labels({ kind: "idle" }, ON).some((label) => label.includes("nooze")));
});

test("the menu and the bar have the manual mode", () => {
  assert.ok(labels(READY, ON).includes("$(keyboard) Suggest only when asked"));
  const manual = { ...ON, automatic: false };
  assert.ok(labels(READY, manual).includes("$(zap) Suggest automatically"));
  const view = statusView(READY, manual);
  assert.equal(view.summary, "Copilot Server: ready (a-model); suggestions come when you ask");
});

test("a model that the user has not agreed to fetch is no error, and the menu begins with fetching it", () => {
  const message = "The model a-model (0.5 GB) is not on this machine.";
  const status: ServerStatus = { ...UNKNOWN_STATUS, state: "error", reason: "consent", message };
  const phase: Phase = { kind: "running", status };
  assert.equal(statusView(phase, ON).severity, "warning");
  assert.equal(statusView(phase, ON).remedy, message);
  assert.equal(labels(phase, ON)[0], "$(cloud-download) Fetch the model…");
  assert.ok(!labels(phase, ON).includes("$(output) See what went wrong"));
});

test("a message has no links, which could run a command of the editor's", () => {
  // What VS Code takes for a link in a message: `linkedText.ts`.
  const link = /\[([^\]]+)\]\(((?:https?:\/\/|command:|file:)[^)\s]+)(?: (["'])(.+?)(\3))?\)/gi;
  const hostile = [
    "The engine says: [try again](command:workbench.action.terminal.sendSequence?%7B%7D)",
    '[a](https://a "title") and [b](file:///etc/passwd)[c](command:x)',
  ];
  for (const message of hostile) {
    assert.match(message, link);
    assert.doesNotMatch(withoutLinks(message), link);
    assert.equal(withoutLinks(message).replaceAll("\u200b", ""), message);
  }
  assert.equal(withoutLinks("a[0] (b)"), "a[0] (b)");
});
