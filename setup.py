"""The parts of the build that pyproject.toml cannot express: the C kernels, and where the manifests go."""

import os
import shutil
import sys
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

CPU = Path("copilot_server/engine/backends/cpu")
# Without contraction every sum is rounded in the same way wherever it is computed: see kernels/simd.h.
COMPILE_ARGS = ["-std=gnu11", "-O3", "-ffp-contract=off", "-fno-math-errno", "-pthread"]
# A library that was compiled beforehand, for this or for another system: see scripts/wheels.py.
GIVEN = os.environ.get("COPILOT_SERVER_LIBRARY")
# library.py looks for these names.
SUFFIX = Path(GIVEN).suffix if GIVEN else {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")


class BuildWithManifests(build_py):
    """Copies ``models/`` into the package; an editable install reads it from the checkout."""

    def run(self) -> None:
        """Build as usual, then copy the manifests."""
        super().run()
        if not self.editable_mode:
            self.copy_tree("models", f"{self.build_lib}/copilot_server/_models")


class BuildLibrary(build_ext):
    """Compiles the kernels as a plain shared library, which no version of Python has a part in."""

    def build_extension(self, ext: Extension) -> None:
        """Compile the library, or copy the one that was given."""
        if GIVEN:
            target = Path(self.get_ext_fullpath(ext.name))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(GIVEN, target)
        else:
            super().build_extension(ext)

    def get_ext_filename(self, fullname: str) -> str:
        """Return the file's name, without the version and the ABI of a Python."""
        return str(Path(*fullname.split("."))) + SUFFIX

    def get_export_symbols(self, ext: Extension) -> list[str]:
        """Return no symbols: there is no PyInit function."""
        return list(ext.export_symbols)

    def get_libraries(self, ext: Extension) -> list[str]:
        """Return the library's own libraries: that of Python is not among them."""
        return list(ext.libraries)


class WheelForAnyPython(bdist_wheel):
    """Tags the wheel for its platform and for every Python 3."""

    def get_tag(self) -> tuple[str, str, str]:
        """Return the tag."""
        return ("py3", "none", super().get_tag()[2])


if __name__ == "__main__":
    setup(
        packages=find_packages(include=["copilot_server", "copilot_server.*"]),
        # The default, but only stating it makes an editable install a path instead of an import hook.
        package_dir={"": "."},
        cmdclass={
            "build_py": BuildWithManifests,
            "build_ext": BuildLibrary,
            "bdist_wheel": WheelForAnyPython,
        },
        ext_modules=[
            Extension(
                "copilot_server.engine.backends.cpu._kernels",
                sources=sorted(map(str, CPU.glob("kernels/*.c"))),
                depends=sorted(map(str, CPU.glob("kernels/*.h"))),
                extra_compile_args=COMPILE_ARGS,
                extra_link_args=["-pthread", "-lm"],
                # Without a compiler the server runs on torch alone, more slowly; its first start says so.
                optional=True,
            )
        ],
    )
