"""What pyproject.toml cannot say: the kernels in C, and where the manifests go."""

from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_py import build_py

KERNELS = Path("copilot_server/engine/backends/cpu/kernels")


class BuildWithManifests(build_py):
    """Ships ``models/`` inside the package; an editable install reads it where it is."""

    def run(self) -> None:
        """Build as usual, then copy the manifests."""
        super().run()
        if not self.editable_mode:
            self.copy_tree("models", f"{self.build_lib}/copilot_server/_models")


setup(
    packages=find_packages(include=["copilot_server", "copilot_server.*"]),
    # Said although it is the default: an editable install is then a path and no import hook.
    package_dir={"": "."},
    cmdclass={"build_py": BuildWithManifests},
    ext_modules=[
        Extension(
            "copilot_server.engine.backends.cpu._kernels",
            sources=sorted(map(str, KERNELS.glob("*.c"))),
            depends=sorted(map(str, KERNELS.glob("*.h"))),
            # Without contraction every sum is rounded alike wherever it is made: see kernels/simd.h.
            extra_compile_args=["-std=gnu11", "-O3", "-ffp-contract=off", "-fno-math-errno", "-pthread"],
            extra_link_args=["-pthread"],
            # Without a compiler the server still runs, on torch alone and slower, and says so.
            optional=True,
        )
    ],
)
