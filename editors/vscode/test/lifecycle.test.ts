import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { afterCrash, type Crashes } from "../src/core/backoff";
import { isLanguageOn, onInAny, readLanguages, toggledLanguage } from "../src/core/languages";
import { candidates, findServer, type Locations } from "../src/core/locate";
import { autoRow, missingFor, modelRow, readModels } from "../src/core/models";
import { isProgram, run } from "../src/core/program";
import { LineSplitter, readProgress } from "../src/core/selfTestProgress";

const LOCATIONS: Locations = {
  platform: "linux",
  home: "/home/me",
  configured: "",
  searchPath: "/usr/bin::bin:/opt/bin",
  ownVenv: "/storage/server",
  trustedFolders: ["/code/a"],
};

test("the server is looked for in our own environment, then on the PATH, then in a trusted workspace", () => {
  assert.deepEqual(candidates(LOCATIONS), [
    { program: "/storage/server/bin/copilot-server", origin: "own environment" },
    { program: "/usr/bin/copilot-server", origin: "PATH" },
    { program: "/opt/bin/copilot-server", origin: "PATH" },
    { program: "/code/a/.venv/bin/copilot-server", origin: "workspace" },
  ]);
});

test("relative folders of the PATH are left out", () => {
  assert.ok(!candidates(LOCATIONS).some(({ program }) => program.startsWith("bin")));
});

test("if the settings name a server, no other is tried", () => {
  assert.deepEqual(candidates({ ...LOCATIONS, configured: "~/x/copilot-server" }), [
    { program: "/home/me/x/copilot-server", origin: "setting" },
  ]);
  assert.deepEqual(candidates({ ...LOCATIONS, configured: "copilot-server" }), [
    { program: "/usr/bin/copilot-server", origin: "setting" },
    { program: "/opt/bin/copilot-server", origin: "setting" },
  ]);
});

test("a relative path, which would be the workspace's, names no server", () => {
  for (const configured of ["bin/copilot-server", "./copilot-server", "../x", "~x/y"]) {
    assert.deepEqual(candidates({ ...LOCATIONS, configured }), [], configured);
  }
  const windows: Locations = { ...LOCATIONS, platform: "win32", searchPath: "C:\\bin" };
  for (const configured of [".\\copilot-server.exe", "C:copilot-server.exe", "venv\\x"]) {
    assert.deepEqual(candidates({ ...windows, configured }), [], configured);
  }
  const named = candidates({ ...windows, configured: "copilot-server.exe" });
  assert.deepEqual(named, [{ program: "C:\\bin\\copilot-server.exe", origin: "setting" }]);
});

test("on Windows the program is an .exe", () => {
  const locations: Locations = {
    ...LOCATIONS,
    platform: "win32",
    searchPath: "C:\\bin;D:\\x",
    ownVenv: "C:\\s",
  };
  assert.deepEqual(
    candidates({ ...locations, trustedFolders: [] }).map(({ program }) => program),
    ["C:\\s\\Scripts\\copilot-server.exe", "C:\\bin\\copilot-server.exe", "D:\\x\\copilot-server.exe"],
  );
});

test("the first program that exists is used, if any", async () => {
  const there = (file: string): Promise<boolean> => Promise.resolve(file.startsWith("/storage"));
  assert.equal((await findServer(LOCATIONS, there))?.origin, "own environment");
  assert.equal(await findServer(LOCATIONS, () => Promise.resolve(false)), undefined);
});

test("a program is a file that may be run", async (context) => {
  const folder = await mkdtemp(path.join(tmpdir(), "program-"));
  context.after(() => rm(folder, { recursive: true }));
  const file = path.join(folder, "x");
  await writeFile(file, "");
  await chmod(file, 0o644);
  assert.equal(await isProgram(file), false);
  assert.equal(await isProgram(folder), false);
  assert.equal(await isProgram(path.join(folder, "none")), false);
  await chmod(file, 0o755);
  assert.equal(await isProgram(file), true);
});

test("a crash waits twice as long as the last, and the sixth in five minutes gives up", () => {
  let crashes: Crashes = [];
  const delays = [1, 2, 3, 4, 5, 6].map((at_s) => {
    const verdict = afterCrash(crashes, at_s);
    crashes = verdict.crashes;
    return verdict.delay_s;
  });
  assert.deepEqual(delays, [1, 2, 4, 8, 16, undefined]);
});

test("old crashes are forgotten", () => {
  assert.deepEqual(afterCrash([0, 1, 2, 3, 4], 400), { crashes: [400], delay_s: 1 });
});

test("a language is on unless it, or all others, are off", () => {
  assert.equal(isLanguageOn({}, "python"), true);
  assert.equal(isLanguageOn({ "*": false }, "python"), false);
  assert.equal(isLanguageOn({ "*": false, python: true }, "python"), true);
});

test("a scope gets the language that is toggled in it, and nothing of the others'", () => {
  const all = { "*": true, markdown: false };
  assert.deepEqual(toggledLanguage({}, all, "go"), { go: false });
  assert.deepEqual(toggledLanguage({ go: false }, { ...all, go: false }, "go"), { go: true });
  assert.deepEqual(toggledLanguage({ "*": false }, { "*": false }, "go"), { "*": false, go: true });
  assert.deepEqual(toggledLanguage({}, all, "markdown"), { markdown: true });
});

test("of several folders, the server gets the languages that any of them has on", () => {
  assert.deepEqual(onInAny([{ "*": true, go: false }]), { "*": true, go: false });
  assert.deepEqual(onInAny([{ "*": false, go: true }, { go: false }]), { "*": true, go: true });
  assert.deepEqual(onInAny([{ "*": false }, { "*": false, go: false }]), { "*": false, go: false });
});

test("an invalid setting for languages turns nothing off", () => {
  assert.deepEqual(readLanguages("python"), { "*": true });
  assert.deepEqual(readLanguages({ python: false, go: "no" }), { python: false });
});

test("a program's output and exit code are reported", async () => {
  const heard: string[] = [];
  const program = "console.log('out'); console.error('err'); process.exit(3)";
  const ended = await run(process.execPath, ["-e", program], {
    cwd: tmpdir(),
    onOutput: (text) => heard.push(text),
  });
  assert.deepEqual(ended, { code: 3, signal: null, stdout: "out\n", stderr: "err\n" });
  assert.deepEqual(heard.sort(), ["err\n", "out\n"]);
});

test("a program that is cancelled or takes too long is ended", async () => {
  const forever = ["-e", "setInterval(() => {}, 1000)"];
  assert.equal(
    (await run(process.execPath, forever, { cwd: tmpdir(), signal: AbortSignal.timeout(100) })).signal,
    "SIGTERM",
  );
  assert.equal((await run(process.execPath, forever, { cwd: tmpdir(), timeout_s: 0.1 })).signal, "SIGTERM");
});

test("a missing program is an error", async () => {
  await assert.rejects(run("/no/such/program", [], { cwd: tmpdir() }), /ENOENT/);
});

test("the progress bar of a self-test on a terminal is read", () => {
  const drawn =
    "\u001b[2Kpass@1  84.2% \u001b[91m━━━━━\u001b[0m\u001b[90m╺\u001b[0m \u001b[32m19/20\u001b[0m \u001b[33m0:00:19\u001b[0m";
  assert.deepEqual(readProgress(drawn), { checked: 19, total: 20, passAt1: "84.2%" });
  assert.deepEqual(readProgress("pass@1   ... ━━━━━ 0/164 0:00:00 -:--:--"), {
    checked: 0,
    total: 164,
    passAt1: undefined,
  });
});

test("the lines that it prints without a terminal are read, and other lines are ignored", () => {
  assert.deepEqual(readProgress("pass@1  56.2% (9 of 16)"), {
    checked: 16,
    total: undefined,
    passAt1: "56.2%",
  });
  assert.equal(readProgress("The report is in out."), undefined);
});

test("lines are assembled from pieces, whatever ends them", () => {
  const lines = new LineSplitter();
  assert.deepEqual(lines.push("a\rb"), ["a"]);
  assert.deepEqual(lines.push("c\r\n\nd"), ["bc"]);
});

test("the list of models is read and shown", () => {
  const row = {
    id: "m",
    title: "M",
    parameters: 494_000_000,
    size_bytes: 530_000_000,
    licence: "MIT",
    on_disk: false,
    humaneval: [{ pass_at_1_percent: 28 }, { pass_at_1_percent: 61.6 }],
  };
  const [model] = readModels(JSON.stringify([row]));
  assert.ok(model);
  assert.deepEqual(modelRow(model, "other"), {
    id: "m",
    label: "m",
    description: "to be fetched, 0.5 GB",
    detail: "0.5 B parameters  ·  MIT  ·  HumanEval 61.6 %",
  });
  assert.equal(modelRow({ ...model, isOnDisk: true }, "m").label, "$(check) m");
  assert.equal(modelRow({ ...model, isOnDisk: true }, "m").description, "on this machine");
});

test("auto is shown with its reason, and what it would have to fetch is known", () => {
  const row = { parameters: 1, size_bytes: 1, licence: "MIT", humaneval: [], on_disk: true };
  const small = { ...row, id: "small", auto: true, suits: false, reason: "small is the largest here." };
  const large = { ...row, id: "large", auto: false, suits: true, reason: "small ...", on_disk: false };
  const models = readModels(JSON.stringify([small, large]));
  assert.equal(autoRow(models, "auto").label, "$(check) auto");
  assert.equal(autoRow(models, "small").label, "auto");
  assert.equal(autoRow(models, "small").detail, "small is the largest here.");
  assert.equal(missingFor(models)?.id, "large");
  assert.equal(missingFor(readModels(JSON.stringify([small, { ...large, on_disk: true }]))), undefined);
});

test("an invalid list of models is an error", () => {
  for (const wrong of ["{}", "[3]", "[{}]", "not JSON"]) {
    assert.throws(() => readModels(wrong));
  }
});
