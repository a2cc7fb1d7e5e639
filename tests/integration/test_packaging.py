"""The wheel, installed outside the checkout, and what importing the package loads."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from copilot_server import catalog
from copilot_server.engine.backends.cpu import library
from tests.support.paths import REPOSITORY


def test_importing_the_catalogue_loads_nothing_heavy():
    code = "import sys; from copilot_server import catalog; catalog.all_manifests(); print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(result.stdout.split())
    assert "cattrs" in loaded
    assert not loaded & {"torch", "transformers", "huggingface_hub", "rich", "pygls"}


def test_an_installed_wheel_outside_the_checkout_finds_the_manifests(tmp_path: Path):
    wheels, site, elsewhere = tmp_path / "wheels", tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(REPOSITORY)]
    subprocess.run(build, check=True, capture_output=True, cwd=elsewhere)
    (wheel,) = wheels.glob("copilot_server-*-py3-none-*.whl")  # for every version of Python
    subprocess.run(
        [*pip, "install", "--no-deps", "--target", str(site), str(wheel)], check=True, cwd=elsewhere
    )
    code = "from copilot_server import catalog as c; print(c.__file__, *(m.id for m in c.all_manifests()))"

    def run_outside() -> subprocess.CompletedProcess[str]:
        # The site folder precedes the checkout; only the dependencies come from the surrounding environment.
        environment = os.environ | {"PYTHONPATH": str(site)}
        command = [sys.executable, "-c", code]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=elsewhere, env=environment
        )

    found = run_outside().stdout.split()
    assert Path(found[0]) == site / "copilot_server" / "catalog.py"
    assert (site / "copilot_server" / "engine" / "backends" / "cpu" / library.FILE).is_file()
    assert sorted(found[1:]) == sorted(manifest.id for manifest in catalog.all_manifests())
    shutil.rmtree(site / "copilot_server" / "_models")
    assert len(run_outside().stdout.split()) == 1
