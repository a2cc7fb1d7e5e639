"""Asks the advisory databases about every package that the server and the extension are made of.

pip-audit exits with success where it could learn nothing about a package. An audit that did not run is not a
pass, so the reports are read, and a package that nobody answered for is an error.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts import lock, tools
from scripts.checks import VSCODE, CheckError, attempt, npm


class NotAuditedError(CheckError):
    """Nobody could say whether a package has known vulnerabilities."""


@dataclass(frozen=True)
class Finding:
    """A known vulnerability of a package."""

    package: str
    version: str
    ids: tuple[str, ...]
    remedy: str

    def __str__(self) -> str:
        """Return one line for the terminal."""
        return f"{self.package} {self.version}: {', '.join(self.ids)} ({self.remedy})"


def check(accepted: Collection[str]) -> None:
    """Audit the server's packages, those of the release's tools, and the extension's.

    ``accepted``: identifiers of vulnerabilities that somebody has looked at and found not to matter here.

    Raises:
        NotAuditedError: the answer for a package is missing, such as without a network.
        CheckError: naming the vulnerabilities that are not accepted.
    """
    found: list[Finding] = []
    unanswered: list[str] = []
    for ask, where in ((audit_python, lock.LOCK), (audit_python, tools.LOCK), (audit_npm, VSCODE)):
        try:
            found += ask(where)
        except NotAuditedError as error:
            unanswered.append(str(error))
    left = [str(one) for one in found if not set(one.ids) & set(accepted)]
    if left:
        raise CheckError(f"these packages have known vulnerabilities: {'; '.join(left)}")
    if unanswered:
        raise NotAuditedError("; ".join(unanswered))


def audit_python(lock_file: Path, *options: str) -> list[Finding]:
    """Ask pip-audit about all packages of a lock file, also those for other systems than this one.

    Raises:
        NotAuditedError: the answer for a package is missing.
    """
    packages = lock.read(lock_file.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder, "pins.txt")  # without markers, by which pip-audit would leave some out
        pins.write_text("".join(f"{one.name}=={one.version}\n" for one in packages), "utf-8")
        flags = ("--disable-pip", "--no-deps", "--format", "json", "--desc", "off", "--aliases", "on")
        tool = tools.tool("pip-audit")
        done = attempt(tool, "--requirement", pins, *flags, "--progress-spinner", "off", *options)
    return read_python(done.stdout, packages)


def audit_npm(folder: Path, *options: str) -> list[Finding]:
    """Ask npm about the packages in a folder's lock file that are not for development.

    Raises:
        NotAuditedError: there is no answer.
    """
    done = attempt(npm(), "audit", "--omit=dev", "--package-lock-only", "--json", *options, cwd=folder)
    return read_npm(done.stdout)


def read_python(report: str, packages: Iterable[lock.Locked]) -> list[Finding]:
    """Read a report of pip-audit about these packages.

    Raises:
        NotAuditedError: it is none, or has no answer for one of them.
    """
    answers = _parsed(report, "pip-audit").get("dependencies")
    if not isinstance(answers, list):
        raise NotAuditedError("pip-audit made no report")
    answered = {(one["name"], one["version"]) for one in answers if "vulns" in one}
    missing = [f"{one.name} {one.version}" for one in packages if (one.name, one.version) not in answered]
    if missing:
        reasons = [one["skip_reason"] for one in answers if "skip_reason" in one]
        why = f" ({reasons[0]})" if reasons else ""
        raise NotAuditedError(f"pip-audit has no answer for {_shortened(missing)}{why}")
    return [_python_finding(one, vulnerability) for one in answers for vulnerability in one["vulns"]]


def _shortened(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _python_finding(package: dict[str, Any], vulnerability: dict[str, Any]) -> Finding:
    ids = (vulnerability["id"], *vulnerability.get("aliases", ()))
    fixed = ", ".join(vulnerability["fix_versions"])
    remedy = f"mended in {fixed}" if fixed else "no version mends it"
    return Finding(package["name"], package["version"], ids, remedy)


def read_npm(report: str) -> list[Finding]:
    """Read a report of ``npm audit``.

    Raises:
        NotAuditedError: it is none.
    """
    said = _parsed(report, "npm")
    if "error" in said or said.get("auditReportVersion") != 2 or "vulnerabilities" not in said:
        raise NotAuditedError(f"npm has no answer: {said.get('message', 'its report is of another kind')}")
    return [
        _npm_finding(name, vulnerable, advisory)
        for name, vulnerable in said["vulnerabilities"].items()
        # What is not a description names another package of the report, through which this one is vulnerable.
        for advisory in vulnerable["via"]
        if isinstance(advisory, dict)
    ]


def _npm_finding(name: str, vulnerable: dict[str, Any], advisory: dict[str, Any]) -> Finding:
    fixed = vulnerable.get("fixAvailable")
    remedy = f"mended in {fixed['name']} {fixed['version']}" if isinstance(fixed, dict) else "see npm audit"
    return Finding(name, advisory["range"], (advisory["url"].rpartition("/")[2],), remedy)


def _parsed(report: str, tool: str) -> dict[str, Any]:
    try:
        said = json.loads(report)
    except ValueError:
        raise NotAuditedError(f"{tool} made no report; what it says is above") from None
    if not isinstance(said, dict):
        raise NotAuditedError(f"{tool} made a report of another kind")
    return said
