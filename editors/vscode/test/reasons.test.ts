import assert from "node:assert/strict";
import { test } from "node:test";
import manifest from "../package.json";
import { actionsFor, obstacle, readCode, readWhyNothing, type ReasonCode } from "../src/core/reasons";
import { continues, idOf, isVisible } from "../src/core/shown";
import { UNKNOWN_STATUS, type Phase, type Switches } from "../src/core/status";

const ON: Switches = {
  enabled: true,
  isOffHere: false,
  hasWorkspace: true,
  automatic: true,
  language: { id: "go", on: true },
  ghostText: true,
};
const WITH_REMEDY: readonly ReasonCode[] = ["off", "snoozed", "manual", "language", "engine"];
const WITHOUT: readonly ReasonCode[] = [
  ...(["excluded", "loading", "consent", "unlikely", "missing", "rejected", "filtered", "nothing"] as const),
];

function titles(actions: readonly { readonly title: string }[]): readonly string[] {
  return actions.map(({ title }) => title);
}

test("the server's reason is shown, with a button where something can be done", () => {
  for (const code of [...WITH_REMEDY, ...WITHOUT]) {
    assert.equal(readCode(code), code);
    const answer = readWhyNothing({ code, message: "Because.", percent: null }, "go");
    assert.equal(answer?.message, "Because.");
    assert.equal(answer.actions.length > 0, WITH_REMEDY.includes(code), code);
    assert.equal(answer.isQuestion, code === "consent");
  }
  assert.deepEqual(titles(actionsFor("language", "go")), ["Turn On for go"]);
  assert.deepEqual(titles(actionsFor("engine", "go")), ["Restart", "Show Log"]);
});

test("a reason of a newer server is shown without a button, and none is none", () => {
  assert.deepEqual(readWhyNothing({ code: "new", message: "Because." }, "go"), {
    message: "Because.",
    actions: [],
    isQuestion: false,
  });
  for (const none of [null, undefined, {}, { code: "off" }, { code: "off", message: 3 }]) {
    assert.equal(readWhyNothing(none, "go"), undefined);
  }
});

test("loading says how much, once", () => {
  const loading = { code: "loading", message: "The model is being fetched." };
  assert.equal(
    readWhyNothing({ ...loading, percent: 41.6 }, "go")?.message,
    "The model is being fetched. (42 %)",
  );
  const said = { ...loading, message: "Fetching: 42 %.", percent: 42 };
  assert.equal(readWhyNothing(said, "go")?.message, "Fetching: 42 %.");
});

test("who asks where the server cannot be asked is told what to do", () => {
  const cases: [Phase, Partial<Switches>, RegExp, readonly string[]][] = [
    [{ kind: "idle" }, { enabled: false }, /^Suggestions are off\.$/, ["Turn On"]],
    [{ kind: "idle" }, { enabled: false, isOffHere: true }, /off in this workspace/, ["Turn On"]],
    [{ kind: "missing", message: "None." }, {}, /None/, ["Install", "Set Path"]],
    [{ kind: "failed", message: "Broken." }, {}, /Broken/, ["Restart", "Show Log"]],
    [{ kind: "restarting", delay_s: 4, why: "It crashed." }, {}, /crashed.*4 s/, ["Restart", "Show Log"]],
    [{ kind: "installing" }, {}, /being installed/, []],
    [{ kind: "running", status: UNKNOWN_STATUS }, { language: undefined }, /are for files/, []],
  ];
  for (const [phase, changes, message, actions] of cases) {
    const answer = obstacle(phase, { ...ON, ...changes });
    assert.match(answer?.message ?? "", message);
    assert.deepEqual(titles(answer?.actions ?? []), actions);
  }
});

test("a server that runs or can be started is asked, also in a language that is off", () => {
  const off = { ...ON, language: { id: "go", on: false } };
  for (const phase of [{ kind: "idle" }, { kind: "running", status: UNKNOWN_STATUS }] as const) {
    assert.equal(obstacle(phase, ON), undefined);
    assert.equal(obstacle(phase, off), undefined);
  }
});

test("every button runs a command that exists", () => {
  const ours = new Set(manifest.contributes.commands.map(({ command }) => command));
  const phases: Phase[] = [
    { kind: "missing", message: "" },
    { kind: "failed", message: "" },
  ];
  const actions = [
    ...WITH_REMEDY.flatMap((code) => actionsFor(code, "go")),
    ...phases.flatMap((phase) => obstacle(phase, ON)?.actions ?? []),
  ];
  for (const { command } of actions) {
    assert.ok(ours.has(command) || command === "workbench.action.openSettings", command);
  }
});

const AT = { line: 0, character: 4 };
const WORD = { start: AT, end: { line: 0, character: 6 } };

test("beside a selected item of the completion list, only what begins with it is on the screen", () => {
  const selected = { text: "value_of", range: WORD };
  const suggestion = { text: "value_of(x)", range: { start: AT, end: AT } };
  assert.equal(isVisible(suggestion, undefined), true);
  assert.equal(isVisible(suggestion, selected), true);
  assert.equal(isVisible({ ...suggestion, text: "value(x)" }, selected), false);
  const elsewhere = { line: 0, character: 5 };
  assert.equal(isVisible({ ...suggestion, range: { start: elsewhere, end: elsewhere } }, selected), false);
  assert.equal(isVisible({ ...suggestion, range: undefined }, selected), false);
});

test("the rest of a suggestion that is typed through is the same suggestion", () => {
  assert.equal(continues("return a + b", "urn a + b"), true);
  assert.equal(continues("return a + b", "return a + b"), true);
  assert.equal(continues("return a + b", "return a - b"), false);
  assert.equal(continues("return a + b", ""), false);
});

test("a suggestion is named by its command's first argument", () => {
  assert.equal(idOf(["id"]), "id");
  assert.equal(idOf([3]), undefined);
  assert.equal(idOf(undefined), undefined);
});
