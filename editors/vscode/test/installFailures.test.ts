import assert from "node:assert/strict";
import { test } from "node:test";
import { InstallError, NotAsLockedError, type Cause, type Remedy } from "../src/core/failures";
import { pipFailure, type Circumstances } from "../src/core/pip";

const HERE: Circumstances = { name: undefined, configuration: "", python: [3, 12], folder: "/storage" };

/** What pip 23 to 26 write, shortened. */
const WRONG_HASH = `ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated ...
    torch==2.13.0 from https://example.com/torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl:
        Expected sha256 0000
             Got        f82b`;
const NO_FILE = `ERROR: Could not find a version that satisfies the requirement torch==2.13.0 (from versions: 2.2.2)
ERROR: No matching distribution found for torch==2.13.0`;
const NONE = NO_FILE.replace("2.2.2", "none");
const RETRYING = "WARNING: Retrying (Retry(total=4, connect=None, read=None)) after connection broken by";
const OFFLINE = `${RETRYING} 'NewConnectionError(': Failed to establish a new connection'\n${NONE}`;
const PROXY = `${RETRYING} 'ProxyError('Cannot connect to proxy.')'\n${NONE}`;
const CERTIFICATE = `${RETRYING} 'SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]'))'\n${NONE}`;
const OTHER_PYTHON = `ERROR: Ignored the following versions that require a different python version: 1.0 Requires-Python >=3.99\n${NONE}`;
const OWN_INDEX = "global.index-url='https://me:secret@pypi.example.com/simple'";

test("only an honest reason offers to go without hashes", () => {
  const cases: [string, string, RegExp | undefined][] = [
    [WRONG_HASH, "", undefined],
    [WRONG_HASH, "global.timeout='180'\n:env:.cert='/etc/ssl/x'\n", undefined],
    [WRONG_HASH, OWN_INDEX, /configured with index-url/],
    [WRONG_HASH, ":env:.extra-index-url='https://download.pytorch.org/whl/cpu'", /with extra-index-url/],
    [NO_FILE, "", /no file for this system/],
    [OFFLINE, OWN_INDEX, undefined],
    [OFFLINE, "", undefined],
    ["ERROR: ResolutionImpossible: ...", "user.constraint='c.txt'", /configured with constraint/],
    ["ERROR: Could not install packages: No space left on device", "global.index-url='x'", undefined],
  ];
  for (const [output, configuration, offered] of cases) {
    const error = pipFailure(output, { ...HERE, configuration });
    assert.equal(error instanceof NotAsLockedError, offered !== undefined, error.message);
    assert.match(error.message, offered ?? /./);
  }
  const tampered = pipFailure(WRONG_HASH, HERE);
  assert.match(tampered.message, /^torch==2\.13\.0 is not the file .* its hash differs/);
});

test("the true cause is named, each with what may be done about it", () => {
  const cases: [string, Partial<Circumstances>, Cause, RegExp, Remedy["kind"]][] = [
    [OFFLINE, {}, "offline", /could not reach PyPI\. Is this machine online/, "retry"],
    [OFFLINE, { name: "our-server" }, "offline", /could not reach PyPI/, "retry"],
    [OFFLINE, { configuration: OWN_INDEX }, "offline", /could not reach pypi\.example\.com/, "retry"],
    [PROXY, {}, "proxy", /through the proxy/, "settings"],
    [CERTIFICATE, {}, "certificate", /does not trust the certificate of PyPI/, "copy"],
    [NO_FILE, { python: [3, 99] }, "python", /Python 3\.99 is too new/, "choosePython"],
    [OTHER_PYTHON, { name: "our-server" }, "python", /Python 3\.12 is too old/, "choosePython"],
    [NONE, { name: "our-server" }, "index", /has reached PyPI, which has no our-server/, "settings"],
    [WRONG_HASH, {}, "hash", /its hash differs/, "retry"],
    ["OSError: [Errno 28] No space left on device", {}, "disk", /no space left.* \/storage/, "retry"],
    ["OSError: [Errno 13] Permission denied: '/storage/x'", {}, "permission", /may not write/, "retry"],
    ["ERROR: Something else", {}, "other", /Something else/, "retry"],
    // The connection had broken before, but the index did answer in the end.
    [`${RETRYING} 'ReadTimeoutError'\n${NO_FILE}`, {}, "index", /no file for this system/, "retry"],
  ];
  for (const [output, circumstances, reason, message, remedy] of cases) {
    const error = pipFailure(output, { ...HERE, ...circumstances });
    assert.ok(error instanceof InstallError);
    assert.equal(error.reason, reason, `${error.message}\n${output}`);
    assert.match(error.message, message);
    assert.ok(
      error.remedies.some(({ kind }) => kind === remedy),
      error.message,
    );
    assert.ok(!error.message.includes("secret"));
  }
});
