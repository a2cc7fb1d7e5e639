import assert from "node:assert/strict";
import { test } from "node:test";
import { menuGroups } from "../src/core/menu";
import { readStatus, statusView, UNKNOWN_STATUS, type Phase, type Switches } from "../src/core/status";

const ON: Switches = { enabled: true, language: { id: "python", on: true }, ghostText: true };
const READY: Phase = { kind: "running", status: { ...UNKNOWN_STATUS, state: "ready", model: "a-model" } };
const FAILED: Phase = { kind: "failed", message: "It keeps stopping." };

function labels(phase: Phase, switches: Switches): readonly string[] {
  return menuGroups(phase, switches, "a-model").flatMap(({ entries }) => entries.map(({ label }) => label));
}

test("a status of the server's is read", () => {
  const sent = {
    kind: "Normal",
    busy: true,
    message: "Loading",
    state: "loading",
    percent: 41.7,
    model: "m",
  };
  assert.deepEqual(readStatus(sent), { state: "loading", percent: 42, message: "Loading", model: "m" });
  assert.equal(readStatus({ ...sent, percent: null })?.percent, undefined);
  assert.equal(readStatus({ ...sent, percent: 1e9 })?.percent, 100);
});

test("what is no status is none", () => {
  for (const wrong of [null, undefined, "ready", 3, [], {}, { state: "asleep" }, { state: 1 }]) {
    assert.equal(readStatus(wrong), undefined);
  }
});

test("loading shows how far it is", () => {
  const status = { ...UNKNOWN_STATUS, percent: 42, model: "a-model" };
  const view = statusView({ kind: "running", status }, ON);
  assert.equal(view.text, "$(loading~spin) 42% Copilot Server");
  assert.equal(view.summary, "Copilot Server: loading the model 42% (a-model)");
});

test("ready and thinking name the model, and are nothing to worry about", () => {
  assert.equal(statusView(READY, ON).summary, "Copilot Server: ready (a-model)");
  assert.equal(statusView(READY, ON).severity, "normal");
  const thinking: Phase = { kind: "running", status: { ...UNKNOWN_STATUS, state: "thinking" } };
  assert.equal(statusView(thinking, ON).summary, "Copilot Server: thinking");
});

test("what is switched off is said before what the server does", () => {
  const everywhere = statusView(READY, { ...ON, enabled: false });
  assert.equal(everywhere.summary, "Copilot Server: suggestions are off");
  const here = statusView(READY, { ...ON, language: { id: "python", on: false } });
  assert.equal(here.summary, "Copilot Server: suggestions are off for python");
  const ghosts = statusView(READY, { ...ON, ghostText: false });
  assert.match(ghosts.remedy, /editor\.inlineSuggest\.enabled/);
});

test("trouble is said even where suggestions are off, with its remedy", () => {
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

test("the menu begins with what mends a trouble", () => {
  assert.equal(labels(FAILED, ON)[0], "$(output) See what went wrong");
  assert.equal(labels({ kind: "missing", message: "" }, ON)[0], "$(cloud-download) Install the server…");
  assert.equal(labels(READY, ON)[0], "$(circle-slash) Turn suggestions off");
});

test("the menu offers the switch that is not on", () => {
  const off = labels(READY, { ...ON, language: { id: "python", on: false } });
  assert.ok(off.includes("$(sparkle) Turn suggestions on for python"));
  assert.ok(!off.some((label) => label.includes("side by side")));
  assert.ok(labels(READY, ON).some((label) => label.includes("side by side")));
  assert.deepEqual(
    labels(READY, { ...ON, language: undefined }).filter((label) => label.includes("python")),
    [],
  );
});
