"""The setting ``model = "auto"`` on this machine."""

from __future__ import annotations

from collections.abc import Collection

import attrs

from copilot_server.catalog import all_manifests
from copilot_server.config import AUTO_MODEL, Settings
from copilot_server.engine.model_choice.choice import ModelChoice, choose
from copilot_server.errors import ModelNotCachedError
from copilot_server.fetch import LoggedProgress, Progress, cached_path


def choose_here(
    settings: Settings, progress: Progress | None = None, *, fetched: Collection[str] = ()
) -> ModelChoice:
    """Choose a model for this machine, which is measured in seconds if that was not done before.

    ``fetched``: ids of models that will be on this machine.

    Raises:
        DeviceError: the device that the settings name is not available.
    """
    from copilot_server.engine.model_choice import measuring  # noqa: PLC0415 - only for auto

    machine = measuring.this_machine(settings, progress or LoggedProgress())
    models = [one for one in all_manifests() if one.automatic]
    paths = {one.id: path for one in models if (path := cached_path(one)) is not None}
    measured = measuring.measured_models(machine, paths, settings.speed.threads)
    return choose(machine, models, {*paths, *fetched}, measured=measured)


def with_model(
    settings: Settings, progress: Progress | None = None, *, may_be_absent: bool = False
) -> tuple[Settings, ModelChoice | None]:
    """Put the model that is chosen here in the place of ``auto``; nothing else is chosen or changed.

    A model that is not on this machine is not chosen. ``may_be_absent``: where none is, the one that suits
    the machine is, so that the caller can fetch it, or ask for it.

    Raises:
        ModelNotCachedError: none is on this machine; the remedy names the one that suits it.
        DeviceError: as ``choose_here``.
    """
    if settings.model != AUTO_MODEL or settings.engine:
        return settings, None
    choice = choose_here(settings, progress)
    if choice.served is None and choice.suited is not None and may_be_absent:
        choice = choose_here(settings, progress, fetched=[choice.suited.id])
    if choice.served is None:
        raise ModelNotCachedError(choice.reason, remedy="Or name a model.")
    return attrs.evolve(settings, model=choice.served.id), choice
