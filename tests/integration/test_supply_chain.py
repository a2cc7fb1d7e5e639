"""The lists of what is released (SBOM), and what the advisory databases say about it."""

from __future__ import annotations

import copy
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from packaging.version import Version

from scripts import audit, lock, release, sbom
from scripts.checks import CheckError
from tests.support.paths import REPOSITORY

PINS = """jinja2==3.1.2 \\
    --hash=sha256:6088930bfe239f0e6710546ab9c19c9ef35e29792895fed6e6e31a023a182a61
    # via copilot-server (pyproject.toml)
attrs==26.1.0 \\
    --hash=sha256:c647aa4a12dfbad9333ca4e71fe62ddc36f4e63b2d260a37a8b83d2f043ac309
    # via jinja2
"""
PACKAGES = lock.read(PINS)

#: GHSA-h5c8-rqwp-cp95 of GitHub's advisory database, in the format of OSV, shortened.
ADVISORY = {
    "schema_version": "1.4.0",
    "id": "GHSA-h5c8-rqwp-cp95",
    "modified": "2024-01-11T15:20:48Z",
    "published": "2024-01-11T15:20:48Z",
    "aliases": ["CVE-2024-22195"],
    "summary": "Jinja vulnerable to HTML attribute injection",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "jinja2"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.1.3"}]}],
        }
    ],
}

#: What pip-audit 2.10.1 reported of ``PINS``: from an OSV that has the advisory, from one that has none, and
#: from PyPI where its answers about releases could not be had. Its exit code was 0 in the last two cases.
VULNERABLE = """{"dependencies": [{"name": "jinja2", "version": "3.1.2", "vulns": [{"id": "CVE-2024-22195",
"fix_versions": ["3.1.3"], "aliases": ["GHSA-h5c8-rqwp-cp95"]}]}, {"name": "attrs", "version": "26.1.0",
"vulns": []}], "fixes": []}"""
CLEAN = """{"dependencies": [{"name": "jinja2", "version": "3.1.2", "vulns": []}, {"name": "attrs",
"version": "26.1.0", "vulns": []}], "fixes": []}"""
SKIPPED = """{"dependencies": [{"name": "jinja2", "skip_reason":
"Dependency not found on PyPI and could not be audited: jinja2 (3.1.2)"},
{"name": "attrs", "version": "26.1.0", "vulns": []}], "fixes": []}"""

#: What npm 11.19.1 reported, shortened: of lodash 4.17.20 and of 4.17.21, from a registry that has the
#: advisory, and from one that answers no questions about advisories.
NPM_VULNERABLE = """{"auditReportVersion": 2, "vulnerabilities": {"lodash": {"name": "lodash", "severity":
"high", "isDirect": true, "via": [{"source": 1106913, "name": "lodash", "dependency": "lodash", "title":
"Command Injection in lodash", "url": "https://github.com/advisories/GHSA-35jh-r3h4-6jhm", "severity": "high",
"cwe": ["CWE-77", "CWE-94"], "range": "<4.17.21"}], "effects": [], "range": "<4.17.21", "nodes":
["node_modules/lodash"], "fixAvailable": {"name": "lodash", "version": "4.18.1", "isSemVerMajor": false}}},
"metadata": {"vulnerabilities": {"high": 1, "total": 1}}}"""
NPM_CLEAN = '{"auditReportVersion": 2, "vulnerabilities": {}, "metadata": {"vulnerabilities": {"total": 0}}}'
NPM_REFUSED = """{"message": "405 Method Not Allowed - POST https://registry.npmjs.org/-/npm/v1/security/advisories",
"method": "POST", "statusCode": 405, "body": "", "error": {"summary": "", "detail": ""}}"""


def test_a_known_vulnerability_is_found() -> None:
    (found,) = audit.read_python(VULNERABLE, PACKAGES)
    assert str(found) == "jinja2 3.1.2: CVE-2024-22195, GHSA-h5c8-rqwp-cp95 (mended in 3.1.3)"
    (found,) = audit.read_npm(NPM_VULNERABLE)
    assert str(found) == "lodash <4.17.21: GHSA-35jh-r3h4-6jhm (mended in lodash 4.18.1)"


def test_where_there_is_none_none_is_found() -> None:
    assert audit.read_python(CLEAN, PACKAGES) == []
    assert audit.read_npm(NPM_CLEAN) == []


@pytest.mark.parametrize(
    ("read", "report", "problem"),
    [
        (audit.read_python, SKIPPED, r"no answer for jinja2 3\.1\.2 \(Dependency not found on PyPI"),
        (audit.read_python, CLEAN.replace("attrs", "other"), r"no answer for attrs 26\.1\.0"),
        (audit.read_python, CLEAN.replace("3.1.2", "3.1.4"), r"no answer for jinja2 3\.1\.2"),
        (audit.read_python, '{"dependencies": [], "fixes": []}', "no answer for jinja2 3.1.2, attrs 26.1.0"),
        (audit.read_python, "", "pip-audit made no report"),
        (audit.read_python, "{}", "pip-audit made no report"),
        (audit.read_npm, NPM_REFUSED, "npm has no answer: 405 Method Not Allowed"),
        (audit.read_npm, '{"auditReportVersion": 3, "vulnerabilities": {}}', "of another kind"),
        (audit.read_npm, '{"auditReportVersion": 2}', "of another kind"),
        (audit.read_npm, "", "npm made no report"),
    ],
)
def test_an_audit_that_did_not_run_is_not_a_pass(
    read: Callable[..., object], report: str, problem: str
) -> None:
    with pytest.raises(audit.NotAuditedError, match=problem):
        _ = read(report) if read is audit.read_npm else read(report, PACKAGES)


def test_a_vulnerability_that_does_not_matter_is_accepted_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(audit, "audit_python", lambda _: audit.read_python(VULNERABLE, PACKAGES))
    monkeypatch.setattr(audit, "audit_npm", lambda _: [])
    audit.check(["GHSA-h5c8-rqwp-cp95"])
    audit.check(["CVE-2024-22195"])
    with pytest.raises(CheckError, match=r"known vulnerabilities: jinja2 3\.1\.2"):
        audit.check(["GHSA-35jh-r3h4-6jhm"])


def test_a_release_goes_on_without_an_audit_only_if_it_is_told_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def unanswered(_: Path) -> list[audit.Finding]:
        return audit.read_npm(NPM_REFUSED)

    def reached() -> Path:
        raise CheckError("the sdist was to be built")

    monkeypatch.setattr(release, "DIST", tmp_path / "dist")
    monkeypatch.setattr(release, "build_sdist", reached)
    monkeypatch.setattr(audit, "audit_python", lambda _: [])
    monkeypatch.setattr(audit, "audit_npm", unanswered)
    assert release.main([]) == 1
    assert "405 Method Not Allowed" in (said := capsys.readouterr().err)
    assert "--unaudited goes on without an audit" in said
    assert release.main(["--unaudited"]) == 1
    assert "NOT AUDITED: npm has no answer" in (said := capsys.readouterr().err)
    assert "the sdist was to be built" in said
    # A vulnerability that is known is one, also if another database does not answer.
    monkeypatch.setattr(audit, "audit_python", lambda _: audit.read_python(VULNERABLE, PACKAGES))
    assert release.main(["--unaudited"]) == 1
    assert "known vulnerabilities" in (said := capsys.readouterr().err)
    assert "the sdist was to be built" not in said


def bom_of(packages: list[lock.Locked]) -> sbom.Bom:
    """A list in the form in which cyclonedx-py 7.5.0 writes it."""
    return {
        "bomFormat": "CycloneDX",
        "metadata": {"component": {"bom-ref": "root-component", "name": "copilot-server"}},
        "components": [
            {
                "bom-ref": f"requirements-L{line}",
                "name": one.name,
                "version": one.version,
                "externalReferences": [
                    {"type": "distribution", "hashes": [{"alg": "SHA-256", "content": ""}] * one.hashes}
                ],
            }
            for line, one in enumerate(packages)
        ],
    }


def test_a_list_of_the_server_that_lacks_a_package_or_a_hash_is_refused() -> None:
    whole = bom_of(PACKAGES)
    sbom.check_server(whole, PACKAGES)
    for damage, problem in (
        (lambda bom: bom["components"].pop(), r"lacks attrs 26\.1\.0"),
        (lambda bom: bom["components"][0].update(version="3.1.4"), r"lacks jinja2 3\.1\.2"),
        (lambda bom: bom["components"][0].pop("externalReferences"), "all hashes of jinja2"),
    ):
        damaged = copy.deepcopy(whole)
        damage(damaged)
        with pytest.raises(CheckError, match=problem):
            sbom.check_server(damaged, PACKAGES)


def test_the_list_of_the_server_says_who_depends_on_whom() -> None:
    bom = sbom.with_graph(bom_of(PACKAGES), PACKAGES, "1.2.3")
    assert bom["metadata"]["component"]["version"] == "1.2.3"
    assert {one["ref"]: one["dependsOn"] for one in bom["dependencies"]} == {
        "root-component": ["requirements-L0"],
        "requirements-L0": ["requirements-L1"],
        "requirements-L1": [],
    }


def test_a_list_of_the_extension_that_lacks_a_package_is_refused() -> None:
    package_lock = json.loads((REPOSITORY / "editors/vscode/package-lock.json").read_text("utf-8"))
    components = [
        {
            "bom-ref": path,
            "name": path.removeprefix("node_modules/"),
            "version": package["version"],
            "properties": [sbom._DEVELOPMENT] if package.get("dev") else [],
        }
        for path, package in package_lock["packages"].items()
        if path
    ]
    edges = [{"ref": one["bom-ref"], "dependsOn": ["node_modules/eslint"]} for one in components]
    whole = sbom.without_development({"components": components, "dependencies": edges})
    sbom.check_extension(whole, package_lock)
    names = {one["name"] for one in whole["components"]}
    # Development needs minimatch, too; `npm sbom --omit=dev` leaves it out.
    assert {"vscode-languageclient", "minimatch"} <= names
    assert "eslint" not in names
    assert all(one["dependsOn"] == [] for one in whole["dependencies"])
    for name in sorted(names):
        damaged = whole | {"components": [one for one in whole["components"] if one["name"] != name]}
        with pytest.raises(CheckError, match=f"the extension's SBOM lacks {name} "):
            sbom.check_extension(damaged, package_lock)


@pytest.fixture
def advisories() -> Iterator[str]:
    """The URL of a server that answers as OSV does and has one advisory."""

    class Osv(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            is_jinja = asked["package"]["name"] == "jinja2"
            known = [ADVISORY] if is_jinja and Version(asked["version"]) < Version("3.1.3") else []
            answer = json.dumps({"vulns": known} if known else {}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Osv)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.long  # the first time it installs the tools
def test_pip_audit_itself_finds_a_vulnerable_version_and_is_not_silent_without_an_answer(
    advisories: str, tmp_path: Path
) -> None:
    pins = tmp_path / "requirements.lock"
    pins.write_text(PINS, "utf-8")
    (found,) = audit.audit_python(pins, "--vulnerability-service", "osv", "--osv-url", advisories)
    assert found.package == "jinja2"
    assert "GHSA-h5c8-rqwp-cp95" in found.ids
    pins.write_text(PINS.replace("3.1.2", "3.1.6"), "utf-8")
    assert audit.audit_python(pins, "--vulnerability-service", "osv", "--osv-url", advisories) == []
    with pytest.raises(audit.NotAuditedError):
        audit.audit_python(pins, "--vulnerability-service", "osv", "--osv-url", "http://127.0.0.1:9/v1/query")


@pytest.mark.long  # the first time it installs the tools
def test_the_tools_themselves_list_all_that_is_released() -> None:
    packages = lock.read(lock.LOCK.read_text("utf-8"))
    server = sbom.with_graph(sbom.of_server(), packages, "1.2.3")
    sbom.check_server(server, packages)
    more = lock.read("left-pad==1 \\\n    --hash=sha256:" + "0" * 64)
    with pytest.raises(CheckError, match="lacks left-pad 1"):
        sbom.check_server(server, [*packages, *more])
    if shutil.which("npm"):
        package_lock = json.loads((REPOSITORY / "editors/vscode/package-lock.json").read_text("utf-8"))
        sbom.check_extension(sbom.of_extension(), package_lock)
