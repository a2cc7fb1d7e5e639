"""The parts of the build that pyproject.toml cannot express: the C kernels, and where the manifests go."""

from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_py import build_py

KERNELS = Path("copilot_server/engine/backends/cpu/kernels")
# Without contraction every sum is rounded in the same way wherever it is computed: see kernels/simd.h.
COMPILE_ARGS = ["-std=gnu11", "-O3", "-ffp-contract=off", "-fno-math-errno", "-pthread"]


class BuildWithManifests(build_py):
    """Copies ``models/`` into the package; an editable install reads it from the checkout."""

    def run(self) -> None:
        """Build as usual, then copy the manifests."""
        super().run()
        if not self.editable_mode:
            self.copy_tree("models", f"{self.build_lib}/copilot_server/_models")


setup(
    packages=find_packages(include=["copilot_server", "copilot_server.*"]),
    # The default, but only stating it makes an editable install a path instead of an import hook.
    package_dir={"": "."},
    cmdclass={"build_py": BuildWithManifests},
    ext_modules=[
        Extension(
            "copilot_server.engine.backends.cpu._kernels",
            sources=sorted(map(str, KERNELS.glob("*.c"))),
            depends=sorted(map(str, KERNELS.glob("*.h"))),
            extra_compile_args=COMPILE_ARGS,
            extra_link_args=["-pthread"],
            # Without a compiler the server still runs on torch alone, more slowly; its first start says so.
            optional=True,
        )
    ],
)
