import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { install, pipCommands, pipStep, type InstallOptions, type Source } from "../src/core/install";
import { NotAsLockedError, pipFailure } from "../src/core/pip";
import { findPython, InstallError } from "../src/core/python";

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

/** What comes with the extension: a server that needs `tiny-dep`, and a lock file with the hash of `wheel`. */
async function bundled(wheel: string, lines: (hash: string) => string = locked): Promise<Source> {
  const archive = path.join(folder, "copilot_server-0.0.1.tar.gz");
  execFileSync("python3", ["-c", MAKE_SDIST, archive, STAND_IN, "tiny_dep"]);
  const lock = path.join(folder, "requirements.lock");
  await writeFile(lock, lines(createHash("sha256").update(readFileSync(wheel)).digest("hex")));
  return { kind: "bundled", archive, lock };
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
    venv: path.join(folder, "storage/venv"),
    folder: path.join(folder, "storage"),
    platform: process.platform,
    home: folder,
    searchPath: process.env["PATH"] ?? "",
    signal: new AbortController().signal,
    onStep: (step) => steps.push(step),
    onOutput: () => undefined,
    steps,
    ...changes,
  };
}

function version(program: string): string {
  return execFileSync(program, ["--version"], { encoding: "utf8" });
}

/** What the Python of the environment prints. */
function inEnvironment(code: string): string {
  const python = path.join(folder, "storage/venv/bin/python");
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
  assert.equal(inEnvironment("import tiny_dep; print(tiny_dep.VERSION)"), "1.0\n");
  assert.equal(version(await install({ ...asked })), "copilot-server 0.0.1\n"); // an update
});

test("what was installed without hashes before is installed again, with them", async () => {
  const source = await bundled(tinyDep("index"));
  ownIndex("index");
  await install(options({ source: named("good", "main") }));
  const file = inEnvironment("import tiny_dep; print(tiny_dep.__file__)").trim();
  await writeFile(file, 'VERSION = "replaced"');
  await install(options({ source }));
  assert.equal(inEnvironment("import tiny_dep; print(tiny_dep.VERSION)"), "1.0\n");
});

test("a file that is not the one of the lock file is not installed, and the user is not asked to agree", async () => {
  const wheel = tinyDep("tampered");
  const source = await bundled(wheel, () => `tiny-dep @ file://${wheel} --hash=sha256:${"0".repeat(64)}\n`);
  const venv = path.join(folder, "storage/tampered");
  await assert.rejects(install(options({ source, venv })), (error) => {
    assert.ok(error instanceof InstallError && !(error instanceof NotAsLockedError), String(error));
    assert.match(error.message, /its hash differs/);
    return true;
  });
  assert.equal(existsSync(venv), false);
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
  assert.ok(source.kind === "bundled");
  assert.equal(
    version(await install({ ...asked, source: { kind: "unchecked", name: source.archive } })),
    "copilot-server 0.0.1\n",
  );
});

test("what the lock file does not name is not installed", async () => {
  const wheel = tinyDep("index");
  const source = await bundled(wheel, (hash) => `${locked(hash)}other==1.0\n`);
  makeWheel("index", "other", "1.0", "");
  ownIndex("index");
  await assert.rejects(install(options({ source })), InstallError);
  assert.throws(() => inEnvironment("import other"));
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
    await rm(path.join(folder, "storage/venv"), { recursive: true });
    await install(options({ source, searchPath: `:.:${process.env["PATH"] ?? ""}` }));
    assert.ok(!(await readdir(workspace)).includes("harmed"));
    // The twin: Python does run them where it is started among them.
    execFileSync("python3", ["-m", "venv", path.join(folder, "never")], { stdio: "ignore" });
    assert.ok((await readdir(workspace)).includes("harmed"));
  } finally {
    process.chdir(started);
  }
});

test("what a setting names is installed without hashes", async () => {
  const again = options({ source: named("good", "main") });
  assert.equal(version(await install(again)), "copilot-server 0.0.1\n");
  assert.deepEqual(again.steps, ["looking for Python", "asking pip"]);
});

test("a source that does not exist leaves nothing behind, and says what to do", async () => {
  const venv = path.join(folder, "storage/half");
  const source: Source = { kind: "unchecked", name: path.join(folder, "none.whl") };
  await assert.rejects(install(options({ venv, source })), InstallError);
  assert.equal(existsSync(venv), false);
});

test("a package whose program does not run is rejected", async () => {
  const venv = path.join(folder, "storage/broken-venv");
  const asked = options({ venv, source: named("broken", "no_such") });
  await assert.rejects(install(asked), /has no copilot-server that runs/);
  assert.equal(existsSync(venv), false);
});

test("cancelling leaves nothing behind", async () => {
  const venv = path.join(folder, "storage/cancelled");
  const cancelled = new AbortController();
  const asked = options({ venv, source: named("good", "main"), signal: cancelled.signal });
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
  await assert.rejects(
    findPython(options({ python: old, folder })),
    /needs Python 3\.11 or newer.*is 3\.9.*pythonPath/,
  );
});

test("a missing Python is reported, and a relative path is none", async () => {
  const needed = /none at \/no\/python.*by its absolute path/;
  await assert.rejects(findPython(options({ python: "/no/python", folder })), needed);
  await assert.rejects(findPython(options({ python: "bin/python3", folder })), /none at bin\/python3/);
  await assert.rejects(findPython(options({ searchPath: `${folder}/none`, folder })), /none on the PATH/);
  assert.ok(path.isAbsolute(await findPython(options({ python: "python3", folder }))));
});

test("pip's output is described as steps", () => {
  assert.equal(pipStep("Collecting torch>=2.9 (from copilot-server)"), "fetching torch");
  assert.equal(pipStep("  Downloading https://a/b/torch-2.9.0-cp311.whl (800 MB)"), "fetching torch");
  assert.equal(pipStep("Building wheel for copilot-server (pyproject.toml): started"), "building copilot");
  assert.equal(pipStep("Installing collected packages: a, b"), "unpacking");
  assert.equal(pipStep("Looking in indexes: x"), undefined);
});

/** What pip 24.0 and 26.2 write, shortened. */
const WRONG_HASH = `ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated ...
    torch==2.13.0 from https://example.com/torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl:
        Expected sha256 0000
             Got        f82b`;
const NO_FILE = `ERROR: Could not find a version that satisfies the requirement torch==2.13.0 (from versions: 2.2.2)
ERROR: No matching distribution found for torch==2.13.0`;
const OFFLINE = `WARNING: Retrying (Retry(total=4, connect=None, read=None, redirect=None, status=None)) ...
${NO_FILE}`;

test("only an honest reason offers to go without hashes", () => {
  const cases: [string, string, RegExp | undefined][] = [
    [WRONG_HASH, "", undefined],
    [WRONG_HASH, "global.timeout='180'\n:env:.cert='/etc/ssl/x'\n", undefined],
    [WRONG_HASH, "global.index-url='https://pypi.example.com/simple'", /configured with index-url/],
    [WRONG_HASH, ":env:.extra-index-url='https://download.pytorch.org/whl/cpu'", /with extra-index-url/],
    [NO_FILE, "", /no file for this system/],
    [OFFLINE, "global.index-url='https://pypi.example.com/simple'", undefined],
    [OFFLINE, "", undefined],
    ["ERROR: ResolutionImpossible: ...", "user.constraint='c.txt'", /configured with constraint/],
    ["ERROR: Could not install packages: No space left", "global.index-url='x'", undefined],
  ];
  for (const [output, configuration, offered] of cases) {
    const error = pipFailure(output, { name: undefined, configuration });
    assert.equal(error instanceof NotAsLockedError, offered !== undefined, error.message);
    assert.match(error.message, offered ?? /./);
  }
  const tampered = pipFailure(WRONG_HASH, { name: undefined, configuration: "" });
  assert.match(tampered.message, /^torch==2\.13\.0 is not the file .* its hash differs/);
});

test("hashes are required of all that comes from an index, and the server comes from none", () => {
  const [libraries, server] = pipCommands({ kind: "bundled", archive: "/x/a.tar.gz", lock: "/x/l" });
  for (const flag of ["--require-hashes", "--only-binary"]) {
    assert.ok(libraries?.includes(flag), flag);
  }
  for (const flag of ["--no-index", "--no-deps", "--no-build-isolation"]) {
    assert.ok(server?.includes(flag), flag);
  }
});
