"""The setting ``model = "auto"`` on this machine."""

from __future__ import annotations

import attrs

from copilot_server.catalog import all_manifests
from copilot_server.config import AUTO_MODEL, Settings
from copilot_server.engine.model_choice.choice import ModelChoice, choose
from copilot_server.errors import ModelNotCachedError
from copilot_server.fetch import LoggedProgress, Progress, cached_path


def choose_here(
    settings: Settings, progress: Progress | None = None, *, may_be_absent: bool = False
) -> ModelChoice:
    """Choose a model for this machine, which is measured in seconds if that was not done before.

    ``may_be_absent``: where none is on this machine, the one that suits it is chosen.

    Raises:
        DeviceError: the device that the settings name is not available.
    """
    from copilot_server.engine.model_choice import measuring  # noqa: PLC0415 - only for auto

    machine = measuring.this_machine(settings, progress or LoggedProgress())
    models = [one for one in all_manifests() if one.automatic]
    paths = {one.id: path for one in models if (path := cached_path(one)) is not None}
    measured = measuring.measured_models(machine, paths, settings.speed.threads)
    choice = choose(machine, models, paths, measured=measured)
    if may_be_absent and choice.served is None and choice.suited is not None:
        return choose(machine, models, [choice.suited.id], measured=measured)
    return choice


def with_model(
    settings: Settings, progress: Progress | None = None, *, may_be_absent: bool = False
) -> tuple[Settings, ModelChoice | None]:
    """Put the model that is chosen here in the place of ``auto``; nothing else is chosen or changed.

    A model that is not on this machine is not chosen. ``may_be_absent``: as for ``choose_here``, so that the
    caller can fetch the model, or ask for it.

    Raises:
        ModelNotCachedError: none is on this machine; the remedy names the one that suits it.
        DeviceError: as ``choose_here``.
    """
    if settings.model != AUTO_MODEL or settings.engine:
        return settings, None
    choice = choose_here(settings, progress, may_be_absent=may_be_absent)
    if choice.served is None:
        raise ModelNotCachedError(choice.reason, remedy="Or name a model.")
    return attrs.evolve(settings, model=choice.served.id), choice
