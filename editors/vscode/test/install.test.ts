import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { findPython, install, InstallError, pipStep, type InstallOptions } from "../src/core/install";

let folder = "";

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "install-"));
});

after(() => rm(folder, { recursive: true, force: true }));

/** A wheel as small as can be, with a program as the server has it. It needs no index to be installed. */
const MAKE_WHEEL = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    info = "copilot_server-0.0.1.dist-info/"
    wheel.writestr("stand_in.py", "def main():\\n    print('copilot-server 0.0.1')\\n")
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: copilot-server\\nVersion: 0.0.1\\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr(info + "entry_points.txt", "[console_scripts]\\ncopilot-server = stand_in:" + sys.argv[2] + "\\n")
    wheel.writestr(info + "RECORD", "")
`;

function makeWheel(name: string, main: string): string {
  const wheel = path.join(folder, name, "copilot_server-0.0.1-py3-none-any.whl");
  execFileSync("mkdir", ["-p", path.dirname(wheel)]);
  execFileSync("python3", ["-c", MAKE_WHEEL, wheel, main]);
  return wheel;
}

function options(changes: Partial<InstallOptions>): InstallOptions & { readonly steps: string[] } {
  const steps: string[] = [];
  return {
    python: "",
    source: "",
    venv: path.join(folder, "venv"),
    platform: process.platform,
    signal: new AbortController().signal,
    onStep: (step) => steps.push(step),
    onOutput: () => undefined,
    steps,
    ...changes,
  };
}

test("the server is installed into its own environment, with an existing Python", async () => {
  const asked = options({ source: makeWheel("good", "main") });
  const program = await install(asked);
  assert.equal(execFileSync(program, ["--version"], { encoding: "utf8" }), "copilot-server 0.0.1\n");
  assert.deepEqual(asked.steps, ["looking for Python", "making an environment", "asking pip"]);
});

test("installing again updates the server", async () => {
  const asked = options({ source: makeWheel("good", "main") });
  await install(asked);
  assert.deepEqual(asked.steps, ["looking for Python", "asking pip"]);
});

test("a source that does not exist leaves nothing behind, and says what to do", async () => {
  const venv = path.join(folder, "half");
  await assert.rejects(install(options({ venv, source: path.join(folder, "none.whl") })), InstallError);
  assert.equal(existsSync(venv), false);
});

test("a package whose program does not run is rejected", async () => {
  const venv = path.join(folder, "broken-venv");
  const asked = options({ venv, source: makeWheel("broken", "no_such") });
  await assert.rejects(install(asked), /has no copilot-server that runs/);
  assert.equal(existsSync(venv), false);
});

test("cancelling leaves nothing behind", async () => {
  const venv = path.join(folder, "cancelled");
  const cancelled = new AbortController();
  const asked = options({ venv, source: makeWheel("good", "main"), signal: cancelled.signal });
  const onStep = (step: string): void => {
    if (step === "asking pip") {
      cancelled.abort();
    }
  };
  await assert.rejects(install({ ...asked, onStep }), /was cancelled/);
  assert.equal(existsSync(venv), false);
});

test("a Python that is too old is reported with the remedy", async () => {
  const old = path.join(folder, "old-python");
  await writeFile(old, `#!/bin/sh\necho 3 9 ${old}\n`);
  await chmod(old, 0o755);
  const { signal } = new AbortController();
  await assert.rejects(
    findPython({ python: old, platform: "linux", signal }),
    /needs Python 3\.11 or newer.*is 3\.9.*pythonPath/,
  );
});

test("a missing Python is reported", async () => {
  const { signal } = new AbortController();
  await assert.rejects(
    findPython({ python: "/no/python", platform: "linux", signal }),
    /none at \/no\/python/,
  );
});

test("pip's output is described as steps", () => {
  assert.equal(pipStep("Collecting torch>=2.9 (from copilot-server)"), "fetching torch");
  assert.equal(pipStep("  Downloading https://a/b/torch-2.9.0-cp311.whl (800 MB)"), "fetching torch");
  assert.equal(pipStep("Building wheel for copilot-server (pyproject.toml): started"), "building copilot");
  assert.equal(pipStep("Installing collected packages: a, b"), "unpacking");
  assert.equal(pipStep("Looking in indexes: x"), undefined);
});
