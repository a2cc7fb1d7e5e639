import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import manifest from "../package.json";
import { STEPS } from "../src/core/milestones";
import {
  changedSettings,
  chosenSettings,
  haveChanged,
  isGuarded,
  needsRestart,
  selfTestFlags,
  SERVER_SETTINGS,
  startSettings,
  type Reader,
} from "../src/core/settings";

type Schema = Readonly<Record<string, unknown>>;

const DECLARED = new Map<string, Schema>(
  manifest.contributes.configuration.flatMap(({ properties }) =>
    Object.entries(properties as Record<string, Schema>).map(([name, schema]): [string, Schema] => [
      name.slice("copilot-server.".length),
      schema,
    ]),
  ),
);

/** What the server's own code says of its settings: each one's default, and what it allows. */
const SERVERS = `
import json, typing, attrs
from copilot_server import config

def flat(section, path=""):
    hints = typing.get_type_hints(section)
    for attribute in attrs.fields(section):
        kind, key = hints[attribute.name], path + attribute.name
        if attrs.has(kind):
            yield from flat(kind, key + ".")
        else:
            default = attribute.default
            default = default.factory() if isinstance(default, attrs.Factory) else default
            yield key, {"default": plain(default), "enum": list(typing.get_args(kind))
                if typing.get_origin(kind) is typing.Literal else None, "limits": limits(attribute.validator)}

def plain(value):
    if isinstance(value, (str, bool, int, float)) or value is None:
        return value
    return dict(value) if hasattr(value, "items") else list(value)

def limits(validator):
    operator = getattr(validator, "compare_op", None)
    if operator:
        return {operator: validator.bound}
    found = {}
    for one in getattr(validator, "_validators", getattr(validator, "validators", ())):
        found |= limits(one)
    return found

print(json.dumps(dict(flat(config.Settings))))
`;

interface ServerSetting {
  readonly default: unknown;
  readonly enum: readonly string[] | null;
  readonly limits: Readonly<Record<string, number>>;
}

/** What the server says a later configuration may not set freely. */
const SERVERS_GUARDED = `
import json
from copilot_server.lsp.settings import GUARDED
print(json.dumps(list(GUARDED)))
`;

function serverSettings(): ReadonlyMap<string, ServerSetting> {
  const settings = askServer(SERVERS) as Record<string, ServerSetting>;
  return new Map(Object.entries(settings).map(([name, setting]) => [camelCase(name), setting]));
}

function askServer(program: string): unknown {
  const root = path.resolve(import.meta.dirname, "../../../..");
  const python = [process.env["COPILOT_SERVER_PYTHON"], path.join(root, ".venv/bin/python")].find(
    (file) => file !== undefined && existsSync(file),
  );
  assert.ok(python, "The server is not installed: run `make install` in the root of the repository.");
  return JSON.parse(execFileSync(python, ["-c", program], { cwd: root, encoding: "utf8" }));
}

function camelCase(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

test("the server's settings are declared under its names, with its defaults and its limits", () => {
  const theirs = serverSettings();
  assert.deepEqual([...theirs.keys()].sort(), [...SERVER_SETTINGS].sort());
  for (const [name, setting] of theirs) {
    const ours = DECLARED.get(name);
    assert.ok(ours, `${name} is not in package.json`);
    assert.deepEqual(ours["default"], setting.default, name);
    assert.deepEqual(ours["enum"] ?? null, setting.enum, name);
    assert.deepEqual(limitsOf(ours), setting.limits, name);
  }
});

function limitsOf(schema: Schema): Readonly<Record<string, unknown>> {
  const limits = { ">=": schema["minimum"], ">": schema["exclusiveMinimum"], "<=": schema["maximum"] };
  return Object.fromEntries(Object.entries(limits).filter(([, limit]) => limit !== undefined));
}

test("every setting is described, and has a scope", () => {
  for (const [name, schema] of DECLARED) {
    assert.match(String(schema["markdownDescription"]), /\.$/, name);
    assert.ok(schema["scope"], name);
    const choices = schema["enum"] as readonly string[] | undefined;
    const described = schema["markdownEnumDescriptions"] as readonly string[] | undefined;
    if (described !== undefined) {
      assert.equal(described.length, choices?.length, name);
    }
  }
});

test("a workspace cannot make the extension run a program, or fetch a model", () => {
  const running = [
    "serverPath",
    "installSource",
    "pythonPath",
    "model",
    "device",
    "offline",
    "fetch",
    "speed.fast",
  ];
  for (const name of running) {
    assert.equal(DECLARED.get(name)?.["scope"], "machine", name);
  }
});

test("a workspace sets what suggestions look like, and what it would rather not have, and nothing else", () => {
  const theirs = [...DECLARED].filter(([, schema]) => schema["scope"] !== "machine").map(([name]) => name);
  const switches = ["enabled", "automatic", "languages", "exclude", "workspace", "statistics", "debounce"];
  const shape = [
    "candidates",
    "eagerness",
    "maxNewTokens",
    "maxPromptTokens",
    "protocol",
    "temperature",
    "topP",
  ];
  const allowed = [...switches, ...shape.map((name) => `completion.${name}`)];
  // Before another one joins them, ask what a hostile repository could do with it: see SECURITY.md.
  assert.deepEqual(theirs.sort(), allowed.sort());
  const perFolder = theirs.filter((name) => DECLARED.get(name)?.["scope"] === "resource");
  assert.deepEqual(perFolder.sort(), ["automatic", "enabled", "exclude", "languages"]);
  assert.ok(theirs.every((name) => perFolder.includes(name) || DECLARED.get(name)?.["scope"] === "window"));
});

test("a workspace cannot send source elsewhere", () => {
  const restricted = manifest.capabilities.untrustedWorkspaces.restrictedConfigurations;
  const sending = SERVER_SETTINGS.filter((name) => name === "engine" || name.startsWith("remote."));
  assert.equal(sending.length, 10);
  for (const name of sending) {
    assert.equal(DECLARED.get(name)?.["scope"], "machine", name);
    assert.ok(restricted.includes(`copilot-server.${name}`), name);
  }
  assert.equal(DECLARED.get("debounce")?.["scope"], "window"); // which a workspace can set
});

test("no setting holds a key, and no URL may", () => {
  const named = [...DECLARED.keys()].filter((name) => /key|password|secret|token(?!s)/i.test(name));
  assert.deepEqual(named, ["remote.apiKeyFile", "remote.apiKeyHosts", "remote.apiKeyOverHttp"]);
  const { pattern } = DECLARED.get("engine")?.["items"] as { readonly pattern: string };
  assert.match("https://gpu.example.com:8000/v1", new RegExp(pattern, "u"));
  assert.match("http://127.0.0.1:8080", new RegExp(pattern, "u"));
  for (const wrong of ["https://user:key@gpu.example.com", "gpu.example.com:8000", "ftp://gpu", ""]) {
    assert.doesNotMatch(wrong, new RegExp(pattern, "u"));
  }
});

test("the self-test measures the served model", () => {
  const model = { model: " m ", device: "cpu", dtype: "int8", offline: true };
  assert.deepEqual(selfTestFlags(readerOf({})), []);
  assert.deepEqual(selfTestFlags(readerOf(model)), [
    ...["--model", "m", "--device", "cpu", "--dtype", "int8", "--offline"],
  ]);
  const engine = ["https://a", "https://b"];
  assert.deepEqual(selfTestFlags(readerOf({ ...model, offline: false, engine })), [
    ...["--engine", "https://a", "--engine", "https://b", "--model", "m"],
  ]);
  assert.deepEqual(selfTestFlags(readerOf({ engine: "https://a" })), ["--engine", "https://a"]);
});

/** VS Code's own keys for these commands, which it gives only where they do not stand in the way of others. */
const KEYS_OF_THE_EDITOR = ["acceptNextWord", "showNext", "showPrevious", "commit", "hide"];

test("without ghost text our keys are taken from nobody", () => {
  for (const { command, key, when } of manifest.contributes.keybindings) {
    assert.ok(!KEYS_OF_THE_EDITOR.some((name) => command.endsWith(name)), command);
    const isForGhostText = /(^|&& )inlineSuggestionVisible\b/.test(when);
    // The others have a backslash with Alt, which no key of VS Code's has, and only in the text of an editor.
    assert.ok(isForGhostText || (/\balt\+(shift\+)?\\$/.test(key) && when.includes("editorTextFocus")), key);
  }
});

test("what the user asks for is answered also where suggestions are off", () => {
  for (const name of ["copilot-server.trigger", "copilot-server.panel"]) {
    const bindings = manifest.contributes.keybindings.filter(({ command }) => command === name);
    assert.notEqual(bindings.length, 0);
    for (const { when } of bindings) {
      assert.doesNotMatch(when, /copilot-server\.on/);
    }
  }
});

test("a step of the walkthrough is done when it is done, not when it is begun", () => {
  const steps = manifest.contributes.walkthroughs.flatMap((one) => one.steps);
  assert.deepEqual(
    steps.map(({ id, completionEvents }) => [id, completionEvents]),
    Object.entries(STEPS).map(([milestone, step]) => [step, [`onContext:copilot-server.${milestone}`]]),
  );
});

test("every command has a name in the palette, and every key runs one of our commands or the editor's", () => {
  const names = new Set(manifest.contributes.commands.map(({ command }) => command));
  for (const { command } of manifest.contributes.keybindings) {
    assert.ok(names.has(command) || command.startsWith("editor.action.inlineSuggest."), command);
  }
  for (const { command } of manifest.contributes.menus.commandPalette) {
    assert.ok(names.has(command), command);
  }
});

type Given = Readonly<Record<string, unknown>>;

/** Settings as VS Code has them: a workspace's value replaces the user's. */
function readerOf(users: Given, workspaces: Given = {}): Reader {
  const set = { ...users, ...workspaces };
  return {
    value: (name) => set[name] ?? DECLARED.get(name)?.["default"],
    fallback: (name) => DECLARED.get(name)?.["default"],
    isSet: (name) => name in set,
    users: (name) => users[name],
    workspaces: (name) => workspaces[name],
  };
}

test("what the server guards is the user's own, or is passed on as the workspace's", () => {
  const guarded = new Set(askServer(SERVERS_GUARDED) as string[]);
  for (const name of SERVER_SETTINGS) {
    const isTheirs = guarded.has(name.split(".")[0] ?? "");
    assert.equal(isGuarded(name), isTheirs, name);
    if (name === "automatic") {
      continue; // see the next test
    }
    if (isTheirs && DECLARED.get(name)?.["scope"] !== "machine") {
      const start = startSettings(readerOf({ [name]: "user" }, { [name]: "workspace" }));
      assert.deepEqual(start, { [name]: "user", projectSettings: { [name]: "workspace" } }, name);
    }
    if (isTheirs) {
      assert.deepEqual(chosenSettings(readerOf({ [name]: "user" }, { [name]: "workspace" })), {}, name);
      assert.equal(needsRestart(readerOf({ [name]: "other" }), { [name]: "user" }), true, name);
    }
  }
});

test("the manual mode begins and ends without another server", () => {
  assert.deepEqual(startSettings(readerOf({ automatic: false })), {});
  assert.deepEqual(startSettings(readerOf({ automatic: true })), { automatic: true });
  assert.deepEqual(chosenSettings(readerOf({ automatic: false })), { automatic: false });
  assert.deepEqual(chosenSettings(readerOf({}, { automatic: false })), { automatic: false });
  assert.deepEqual(chosenSettings(readerOf({ automatic: true })), {});
  assert.equal(haveChanged(readerOf({ automatic: false }), {}), true);
  assert.equal(haveChanged(readerOf({}), {}), false);
  for (const automatic of [true, false]) {
    assert.equal(needsRestart(readerOf({ automatic }), {}), false);
  }
});

test("a workspace's exclusions are added to the user's", () => {
  const start = startSettings(readerOf({ exclude: ["own.py"] }, { exclude: ["!.env"], enabled: false }));
  assert.deepEqual(start, { exclude: ["own.py"], enabled: false, projectSettings: { exclude: ["!.env"] } });
  assert.deepEqual(startSettings(readerOf({ exclude: ["!.env"] })), { exclude: ["!.env"] });
});

test("only settings that have been set are sent, so that the server's own file applies to the rest", () => {
  assert.deepEqual(chosenSettings(readerOf({})), {});
  assert.deepEqual(startSettings(readerOf({})), {});
  const set = { "completion.candidates": 5, offline: true };
  assert.deepEqual(startSettings(readerOf(set)), set);
  assert.deepEqual(chosenSettings(readerOf(set)), { "completion.candidates": 5 });
});

test("a server is restarted for what only its start may set, and notified of all other changes", () => {
  const engine = ["https://gpu.example.com"];
  const started = { engine, "remote.allowHttp": false, enabled: false };
  const cases: [Readonly<Record<string, unknown>>, boolean, boolean][] = [
    [{ ...started, engine: [...engine] }, false, false],
    [{ ...started, enabled: true }, false, true],
    [{ ...started, engine: [...engine, "https://b"] }, true, true],
    [{ ...started, "remote.allowHttp": true }, true, true],
    [{ ...started, exclude: ["a"] }, true, true],
    [{ ...started, model: "m" }, true, true],
    [{ enabled: false, "remote.allowHttp": false }, true, true],
  ];
  for (const [now, anew, changed] of cases) {
    assert.equal(needsRestart(readerOf(now), started), anew, JSON.stringify(now));
    assert.equal(haveChanged(readerOf(now), started), changed, JSON.stringify(now));
  }
});

test("a setting that was sent at the start and has been removed is sent with its default", () => {
  const started = { "completion.candidates": 5, enabled: false };
  assert.deepEqual(changedSettings(readerOf({ enabled: true }), started), {
    "completion.candidates": 3,
    enabled: true,
  });
  assert.deepEqual(changedSettings(readerOf({ enabled: true }), {}), { enabled: true });
});
