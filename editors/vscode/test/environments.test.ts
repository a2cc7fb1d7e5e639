import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import {
  currentEnvironment,
  environmentsFolder,
  freshFolder,
  publish,
  sweep,
  use,
} from "../src/core/environments";
import { InstallError } from "../src/core/failures";
import { hasGpu } from "../src/core/hardware";
import { isHeld, Lock, untilReleased } from "../src/core/holders";
import { install } from "../src/core/install";
import { run } from "../src/core/program";
import { described, Meter, size } from "../src/core/transfer";

let folder = "";

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "environments-"));
});

after(() => rm(folder, { recursive: true, force: true }));

/** The id of a process that has ended. */
function deadPid(): number {
  return spawnSync(process.execPath, ["-e", ""]).pid;
}

test("one process at a time has the lock, and a crashed one loses it", async () => {
  const file = path.join(folder, "lock");
  const lock = await Lock.take(file);
  assert.ok(lock !== undefined && (await isHeld(file)));
  assert.equal(await Lock.take(file), undefined);
  const waited = untilReleased(file, new AbortController().signal);
  await lock.release();
  await waited;
  assert.equal(existsSync(file), false);
  await writeFile(file, JSON.stringify({ pid: deadPid(), host: hostname() }));
  assert.equal(await isHeld(file), false);
  await (await Lock.take(file))?.release();
  // The twin: a process that lives keeps it.
  await writeFile(file, JSON.stringify({ pid: process.ppid, host: hostname() }));
  assert.equal(await Lock.take(file), undefined);
});

test("an environment that is current or that a living process uses is kept, others are removed", async () => {
  const storage = path.join(folder, "swept");
  const parent = environmentsFolder(storage);
  mkdirSync(path.join(storage, "server"), { recursive: true }); // as the versions before had it
  assert.equal((await currentEnvironment(storage)).folder, path.join(storage, "server"));
  await sweep(storage);
  assert.ok(existsSync(path.join(storage, "server")));

  const making = await freshFolder(storage);
  for (const name of ["unfinished", "new", "used"]) {
    mkdirSync(path.join(parent, name));
  }
  await use(storage, path.join(parent, "used"));
  const dead = JSON.stringify({ pid: deadPid(), host: hostname() });
  await writeFile(path.join(parent, "unfinished.1.lease"), dead);
  await publish(storage, { folder: path.join(parent, "new"), version: "1.2" });
  assert.deepEqual(await currentEnvironment(storage), { folder: path.join(parent, "new"), version: "1.2" });
  await sweep(storage);
  const left = (await readdir(parent, { withFileTypes: true })).filter((one) => one.isDirectory());
  assert.deepEqual(left.map(({ name }) => name).sort(), [path.basename(making), "new", "used"].sort());
  assert.ok(!existsSync(path.join(storage, "server")));
  assert.ok(!existsSync(path.join(parent, "unfinished.1.lease")));
});

test("a folder that cannot be made is a failure with its cause, and not a wait for ever", async () => {
  const file = path.join(folder, "file");
  await writeFile(file, "");
  const options = {
    source: { kind: "unchecked", name: "x" },
    folder: path.join(file, "storage"),
    python: "",
    proxy: "",
    platform: process.platform,
    home: folder,
    searchPath: "",
    signal: new AbortController().signal,
    onStep: () => undefined,
    onTransfer: () => undefined,
    onOutput: () => undefined,
  } as const;
  await assert.rejects(
    install(options),
    (error) => error instanceof InstallError && error.message.includes(file),
  );
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Start a program that starts another, cancel it, and return the other's process id. */
async function cancelledParent(family: boolean): Promise<number> {
  const cancelled = new AbortController();
  let said = "";
  const code = `const c = require("node:child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1e6)"], {stdio: "ignore"}); console.log(c.pid); setInterval(() => {}, 1e6)`;
  await run(process.execPath, ["-e", code], {
    cwd: folder,
    family,
    signal: cancelled.signal,
    onOutput: (text) => {
      said += text;
      if (said.endsWith("\n")) {
        cancelled.abort();
      }
    },
  });
  return Number(said);
}

test("what a program has started is ended with it", { skip: process.platform === "win32" }, async () => {
  const child = await cancelledParent(true);
  while (isRunning(child)) {
    await setTimeout(20);
  }
  const orphan = await cancelledParent(false);
  assert.ok(isRunning(orphan));
  process.kill(orphan);
});

test("bytes and the time left are said in words", () => {
  assert.equal(size(40_314_005), "40 MB");
  assert.equal(size(2_794_251_586), "2.8 GB");
  const meter = new Meter(40e6);
  assert.equal(described(meter.measured(0, 0)), "");
  assert.equal(described(meter.measured(10e6, 10)), "10 of 40 MB, about 30 s left");
  assert.equal(described(meter.measured(10e6, 40)), "10 of 40 MB"); // it has stopped
  assert.equal(described(meter.measured(41e6, 41)), "41 MB");
  assert.equal(described(new Meter(undefined).measured(5e3, 1)), "5 kB");
  const slow = new Meter(2.8e9);
  slow.measured(0, 0);
  assert.equal(described(slow.measured(0.7e9, 10)), "0.7 of 2.8 GB, about 30 s left");
  assert.equal(described(slow.measured(0.71e9, 20)), "0.7 of 2.8 GB, about 35 min left");
});

test("PyTorch is installed where there is a GPU for it", () => {
  const none = (): boolean => false;
  const driver = (file: unknown): boolean => file === "/proc/driver/nvidia/version";
  assert.equal(hasGpu("linux", "x64", none), false);
  assert.equal(hasGpu("linux", "x64", driver), true);
  assert.equal(hasGpu("darwin", "arm64", none), true);
  assert.equal(hasGpu("darwin", "x64", none), false);
  assert.equal(
    hasGpu("win32", "x64", (file) => String(file).endsWith("nvcuda.dll")),
    true,
  );
});
