import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { currentEnvironment, environmentsFolder } from "../src/core/environments";
import { InstallError, NotAsLockedError } from "../src/core/failures";
import {
  install,
  lockFile,
  pipCommands,
  pipStep,
  withoutHashes,
  type InstallOptions,
  type Source,
} from "../src/core/install";
import { havePython, planPython } from "../src/core/python";

let folder = "";
const ENVIRONMENT = { ...process.env };

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "install-"));
});

after(() => rm(folder, { recursive: true, force: true }));

/** pip as one without any configuration has it, whatever that of this machine is; it would ask PyPI. */
beforeEach(() => {
  for (const name of Object.keys(process.env).filter((name) => name.startsWith("PIP_"))) {
    Reflect.deleteProperty(process.env, name);
  }
  process.env["PIP_CONFIG_FILE"] = process.platform === "win32" ? "nul" : "/dev/null";
  process.env["PIP_DISABLE_PIP_VERSION_CHECK"] = "1";
});

afterEach(() => {
  process.env = { ...ENVIRONMENT };
});

/** A wheel as small as can be: one module, and a program if it has a main function. It needs no index. */
const MAKE_WHEEL = `
import sys, zipfile
target, name, version, code, main = sys.argv[1:]
with zipfile.ZipFile(target, "w") as wheel:
    info = f"{name}-{version}.dist-info/"
    wheel.writestr(f"{name}.py", code)
    wheel.writestr(info + "METADATA", f"Metadata-Version: 2.1\\nName: {name.replace('_', '-')}\\nVersion: {version}\\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    if main:
        wheel.writestr(info + "entry_points.txt", f"[console_scripts]\\ncopilot-server = {name}:{main}\\n")
    wheel.writestr(info + "RECORD", "")
`;
const STAND_IN = `
def main():
    print("copilot-server 0.0.1")
`;
/** An sdist as the extension has it, whose backend is in it: what is to be built needs nothing from an index. */
const MAKE_SDIST = `
import io, sys, tarfile
target, code, needed = sys.argv[1:]
BACKEND = r"""
import zipfile, NEEDED
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "copilot_server-0.0.1-py3-none-any.whl"
    info = "copilot_server-0.0.1.dist-info/"
    with zipfile.ZipFile(folder + "/" + name, "w") as wheel:
        wheel.writestr("stand_in.py", open("stand_in.py").read())
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: copilot-server\\nVersion: 0.0.1\\nRequires-Dist: tiny-dep\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "entry_points.txt", "[console_scripts]\\ncopilot-server = stand_in:main\\n")
        wheel.writestr(info + "RECORD", "")
    return name
""".replace("NEEDED", needed)
FILES = {
    "PKG-INFO": "Metadata-Version: 2.1\\nName: copilot-server\\nVersion: 0.0.1\\n",
    "pyproject.toml": "[build-system]\\nrequires = ['tiny-dep']\\nbuild-backend = 'backend'\\nbackend-path = ['.']\\n",
    "backend.py": BACKEND,
    "stand_in.py": code,
}
with tarfile.open(target, "w:gz") as archive:
    for name, text in FILES.items():
        member = tarfile.TarInfo("copilot_server-0.0.1/" + name)
        member.size = len(text.encode())
        archive.addfile(member, io.BytesIO(text.encode()))
`;

function makeWheel(where: string, name: string, version: string, code: string, main = ""): string {
  const wheel = path.join(folder, where, `${name}-${version}-py3-none-any.whl`);
  mkdirSync(path.dirname(wheel), { recursive: true });
  execFileSync("python3", ["-c", MAKE_WHEEL, wheel, name, version, code, main]);
  return wheel;
}

function tinyDep(where: string, version = "1.0"): string {
  return makeWheel(where, "tiny_dep", version, `VERSION = "${version}"`);
}

/** A server for what pip takes without hashes. */
function named(where: string, main: string): Source {
  return { kind: "unchecked", name: makeWheel(where, "copilot_server", "0.0.1", STAND_IN, main) };
}

type Bundled = Source & { readonly kind: "bundled" };

/** What comes with the extension: a server that needs `tiny-dep`, and a lock file with the hash of `wheel`. */
async function bundled(wheel: string, lines: (hash: string) => string = locked): Promise<Bundled> {
  const archive = path.join(folder, "copilot_server-0.0.1.tar.gz");
  execFileSync("python3", ["-c", MAKE_SDIST, archive, STAND_IN, "tiny_dep"]);
  const lock = path.join(folder, "requirements.lock");
  await writeFile(lock, lines(createHash("sha256").update(readFileSync(wheel)).digest("hex")));
  return { kind: "bundled", archives: [archive], lock };
}

function locked(hash: string, version = "1.0"): string {
  return `tiny-dep==${version} \\\n    --hash=sha256:${hash}\n`;
}

/** An index of the user's own, as pip is configured with it. */
function ownIndex(where: string): void {
  process.env["PIP_NO_INDEX"] = "1";
  process.env["PIP_FIND_LINKS"] = path.join(folder, where);
}

function options(changes: Partial<InstallOptions>): InstallOptions & { readonly steps: string[] } {
  const steps: string[] = [];
  return {
    python: "",
    source: { kind: "unchecked", name: "" },
    proxy: "",
    folder: path.join(folder, "storage"),
    platform: process.platform,
    home: folder,
    searchPath: process.env["PATH"] ?? "",
    signal: new AbortController().signal,
    onStep: (step) => steps.push(step),
    onTransfer: () => undefined,
    onOutput: () => undefined,
    steps,
    ...changes,
  };
}

function version(program: string): string {
  return execFileSync(program, ["--version"], { encoding: "utf8" });
}

/** What the Python of the current environment prints. */
async function inEnvironment(code: string): Promise<string> {
  const current = await currentEnvironment(path.join(folder, "storage"));
  const python = path.join(current.folder, "bin/python");
  return execFileSync(python, ["-c", code], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
}

test("the server that comes with the extension is installed with what the lock file names", async () => {
  const source = await bundled(tinyDep("index"));
  tinyDep("index", "2.0"); // newer, and not in the lock file
  ownIndex("index");
  const asked = options({ source });
  const program = await install(asked);
  assert.equal(version(program), "copilot-server 0.0.1\n");
  assert.deepEqual(asked.steps, ["looking for Python", "making an environment", "asking pip"]);
  assert.equal(await inEnvironment("import tiny_dep; print(tiny_dep.VERSION)"), "1.0\n");
  assert.equal((await currentEnvironment(asked.folder)).version, "0.0.1");
});

test("a file that is not the one of the lock file is not installed, and the user is not asked to agree", async () => {
  const wheel = tinyDep("tampered");
  const source = await bundled(wheel, () => `tiny-dep @ file://${wheel} --hash=sha256:${"0".repeat(64)}\n`);
  const before = await environments();
  await assert.rejects(install(options({ source })), (error) => {
    assert.ok(error instanceof InstallError && !(error instanceof NotAsLockedError), String(error));
    assert.match(error.message, /its hash differs/);
    return true;
  });
  assert.deepEqual(await environments(), before);
});

test("what an index of the user's own builds itself can be installed without hashes", async () => {
  const source = await bundled(tinyDep("own", "3.0"), () => locked("0".repeat(64), "3.0"));
  ownIndex("own");
  const asked = options({ source });
  await assert.rejects(install(asked), (error) => {
    assert.ok(error instanceof NotAsLockedError, String(error));
    assert.match(error.message, /pip is configured with (find-links|no-index)/);
    return true;
  });
  const program = await install({ ...asked, source: await withoutHashes(source) });
  assert.equal(version(program), "copilot-server 0.0.1\n");
  assert.equal(await inEnvironment("import tiny_dep; print(tiny_dep.VERSION)"), "3.0\n");
});

test("what the lock file does not name is not installed", async () => {
  const wheel = tinyDep("index");
  const source = await bundled(wheel, (hash) => `${locked(hash)}other==1.0\n`);
  makeWheel("index", "other", "1.0", "");
  ownIndex("index");
  await assert.rejects(install(options({ source })), InstallError);
  await assert.rejects(inEnvironment("import other"));
});

test("another package is not built from its source, whose build would come without a hash", async () => {
  const wheel = tinyDep("sources");
  execFileSync("tar", ["-czf", path.join(folder, "sources/tiny_dep-1.0.tar.gz"), "-C", folder, "index"]);
  const sdist = readFileSync(path.join(folder, "sources/tiny_dep-1.0.tar.gz"));
  const hash = createHash("sha256").update(sdist).digest("hex");
  await rm(wheel);
  const source = await bundled(path.join(folder, "sources/tiny_dep-1.0.tar.gz"), () => locked(hash));
  ownIndex("sources");
  await assert.rejects(install(options({ source })), /No matching distribution/);
});

test("neither Python nor pip runs what lies in the folder that the editor was started in", async () => {
  const workspace = path.join(folder, "workspace");
  mkdirSync(workspace);
  for (const module of ["venv.py", "pip.py"]) {
    await writeFile(path.join(workspace, module), "open('harmed', 'w').close()\n");
  }
  await writeFile(path.join(workspace, "python3"), "#!/bin/sh\ntouch harmed\necho 3 11 $0\n");
  await chmod(path.join(workspace, "python3"), 0o755);
  const started = process.cwd();
  process.chdir(workspace);
  try {
    const source = named("good", "main");
    const program = await install(options({ source, searchPath: `:.:${process.env["PATH"] ?? ""}` }));
    assert.equal(version(program), "copilot-server 0.0.1\n");
    assert.ok(!(await readdir(workspace)).includes("harmed"));
    // The twin: Python does run them where it is started among them.
    execFileSync("python3", ["-m", "venv", path.join(folder, "never")], { stdio: "ignore" });
    assert.ok((await readdir(workspace)).includes("harmed"));
  } finally {
    process.chdir(started);
  }
});

test("a source that does not exist leaves nothing behind, and what was there before is still used", async () => {
  const before = await environments();
  const current = await currentEnvironment(path.join(folder, "storage"));
  const source: Source = { kind: "unchecked", name: path.join(folder, "none.whl") };
  await assert.rejects(install(options({ source })), InstallError);
  assert.deepEqual(await environments(), before);
  assert.deepEqual(await currentEnvironment(path.join(folder, "storage")), current);
});

test("a package whose program does not run is rejected", async () => {
  const before = await environments();
  const asked = options({ source: named("broken", "no_such") });
  await assert.rejects(install(asked), /has no copilot-server that runs/);
  assert.deepEqual(await environments(), before);
});

test("cancelling leaves nothing behind", async () => {
  const before = await environments();
  const cancelled = new AbortController();
  const asked = options({ source: named("good", "main"), signal: cancelled.signal });
  const onStep = (step: string): void => {
    if (step === "making an environment") {
      cancelled.abort();
    }
  };
  await assert.rejects(install({ ...asked, onStep }), /was cancelled/);
  assert.deepEqual(await environments(), before);
  assert.equal(existsSync(lockFile(asked.folder)), false);
});

/** The environments that are there. */
async function environments(): Promise<readonly string[]> {
  const entries = await readdir(environmentsFolder(path.join(folder, "storage")), { withFileTypes: true });
  return entries.filter((one) => one.isDirectory()).map(({ name }) => name);
}

/** A program that says it is a Python of a version. */
async function pythonSaying(name: string, words: string): Promise<string> {
  const program = path.join(folder, name);
  mkdirSync(path.dirname(program), { recursive: true });
  await writeFile(program, `#!/bin/sh\necho ${words} ${program}\n`);
  await chmod(program, 0o755);
  return program;
}

test("a Python that is too old or too new is reported with the remedy", async () => {
  const old = await pythonSaying("old-python", "3 9");
  await assert.rejects(
    planPython(options({ python: old, folder })),
    /needs Python 3\.11 to 3\.14.*is 3\.9.*pythonPath/,
  );
  const young = await pythonSaying("young-python", "3 99");
  await assert.rejects(planPython(options({ python: young, folder })), /Python 3\.99 is too new/);
});

test("a missing Python is reported, and a relative path is none", async () => {
  const needed = /none at \/no\/python.*by its absolute path/;
  await assert.rejects(planPython(options({ python: "/no/python", folder })), needed);
  await assert.rejects(planPython(options({ python: "bin/python3", folder })), /none at bin\/python3/);
  await assert.rejects(planPython(options({ searchPath: `${folder}/none`, folder })), /none on the PATH/);
  const plan = await planPython(options({ python: "python3", folder }));
  assert.ok(plan.kind === "found" && path.isAbsolute(plan.python.program));
});

test("uv fetches a Python where there is none that fits", async () => {
  await pythonSaying("few/python3", "3 8");
  const asked = options({ searchPath: path.join(folder, "few"), folder: path.join(folder, "storage") });
  await assert.rejects(planPython(asked), /none on the PATH.*is 3\.8/);
  // An older Python can have uv from an index, by its hash; uv itself is better.
  assert.equal((await planPython({ ...asked, uvLock: "uv.lock" })).kind, "pip");
  const uv = path.join(folder, "few/uv");
  const python = path.join(folder, "storage/pythons/python");
  const link = `ln -sf ${execFileSync("python3", ["-c", "import sys; print(sys.executable)"], { encoding: "utf8" }).trim()} "$UV_PYTHON_INSTALL_DIR/python"`;
  await writeFile(
    uv,
    `#!/bin/sh\ncase "$2" in install) ${link};; find) echo "$UV_PYTHON_INSTALL_DIR/python";; esac\n`,
  );
  await chmod(uv, 0o755);
  const plan = await planPython(asked);
  assert.deepEqual(plan, { kind: "uv", uv });
  const { program, version } = await havePython(plan, asked);
  assert.ok(existsSync(python));
  assert.equal(version[0], 3);
  assert.ok(path.isAbsolute(program));
});

test("pip's output is described as steps", () => {
  assert.equal(pipStep("Collecting torch>=2.9 (from copilot-server)"), "fetching torch");
  assert.equal(pipStep("  Downloading https://a/b/torch-2.9.0-cp311.whl (800 MB)"), "fetching torch");
  assert.equal(pipStep("Building wheel for copilot-server (pyproject.toml): started"), "building copilot");
  assert.equal(pipStep("Installing collected packages: a, b"), "unpacking");
  assert.equal(pipStep("Looking in indexes: x"), undefined);
});

test("hashes are required of all that comes from an index, and the server comes from none", () => {
  const [libraries, server] = pipCommands({ kind: "bundled", archives: [], lock: "/x/l" }, "/x/a.tar.gz");
  for (const flag of ["--require-hashes", "--only-binary"]) {
    assert.ok(libraries?.includes(flag), flag);
  }
  for (const flag of ["--no-index", "--no-deps", "--no-build-isolation"]) {
    assert.ok(server?.includes(flag), flag);
  }
});
