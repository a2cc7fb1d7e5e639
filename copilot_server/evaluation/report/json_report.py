"""A report as JSON: a summary for scripts, then every field of the report. It can be read back.

``jq '.pass_at_k["0"]["1"]'`` is greedy pass@1, and ``jq '.pass_at_k["0.8"]["100"]'`` is pass@100 at
temperature 0.8. Where the tasks have variants ``pass_at_k`` is empty, and ``scores`` has all figures. The
summary is ignored when a report is read.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_origin

import cattrs
from cattrs.errors import CattrsError

from copilot_server.config import strict_converter
from copilot_server.errors import DataError
from copilot_server.evaluation.types import Checked, Report, Score

#: The version of the layout.
FORMAT = 1

_SUMMARY = ("format", "benchmark", "model", "pass_at_k")
_REMEDY = "Name a report that this version wrote, such as report.json in the folder of --report."
_MAX_COMPLAINTS = 3


def to_json(report: Report) -> dict[str, Any]:
    """Return the report as plain values, with the summary first."""
    fields = asdict(report)
    return {
        "format": FORMAT,
        "benchmark": report.protocol.benchmark,
        "model": report.protocol.model,
        "pass_at_k": _pass_at_k(report.scores),
        **{name: fields.pop(name) for name in ("scores", "notes")},
        **fields,
    }


def from_json(values: Mapping[str, Any]) -> Report:
    """Return the report that ``to_json`` made ``values`` from. They may have been JSON in the meantime.

    Raises:
        DataError: ``values`` is not a report, or contradicts itself. The message says how.
    """
    version = values.get("format")
    if type(version) is not int or version != FORMAT:
        was = f"is of format {version!r:.40}" if "format" in values else "does not say its format"
        raise DataError(f"It {was}, where {FORMAT} is expected.", remedy=_REMEDY)
    fields = {name: value for name, value in values.items() if name not in _SUMMARY}
    try:
        report = _CONVERTER.structure(fields, Report)
    except (CattrsError, ValueError, TypeError, OverflowError) as error:
        complaints = cattrs.transform_error(error)
        raise DataError(f"It is not a report: {_few(complaints)}.", remedy=_REMEDY) from error
    _check(report)
    return report


def read_report(path: Path) -> Report:
    """Return the report in a file.

    Raises:
        DataError: it cannot be read, or is not a report.
    """
    try:
        values = json.loads(path.read_text("utf-8"), parse_constant=_no_number)
    except OSError as error:
        raise DataError(f"The report {path} cannot be read: {error.strerror}.", remedy=_REMEDY) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"The report {path} is not JSON: {error}.", remedy=_REMEDY) from error
    if not isinstance(values, dict):
        raise DataError(f"The report {path} is not an object.", remedy=_REMEDY)
    try:
        return from_json(values)
    except DataError as error:
        message = f"The report {path} cannot be used. {error.message}"
        raise DataError(message, remedy=error.remedy) from error


def _pass_at_k(scores: Iterable[Score]) -> dict[str, dict[str, float]]:
    """Return pass@k of the whole benchmark by temperature (``any`` if the samples do not say) and k."""
    by_temperature: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for score in scores:
        if score.name.startswith("pass@") and not score.variant:
            temperature = "any" if score.temperature is None else f"{score.temperature:g}"
            by_temperature[temperature][score.name.removeprefix("pass@")] = score.value
    return dict(by_temperature)


def _check(report: Report) -> None:
    """Refuse a report that no run writes, so that its readers need not consider it."""
    ids = [task.task_id for task in report.tasks]
    known = set(ids)
    keys = [(one.sample.task_id, one.sample.temperature, one.sample.index) for one in report.samples]
    complaints = [
        (len(known) < len(ids), "two tasks have one id"),
        (any(one.sample.task_id not in known for one in report.samples), "a sample belongs to no task"),
        (len(set(keys)) < len(keys), "two samples have one task, temperature and index"),
        (
            any(_contradicts_itself(one) for one in report.samples),
            "a sample passed with an error, or neither",
        ),
    ]
    for wrong, complaint in complaints:
        if wrong:
            raise DataError(f"It is not a report: {complaint}.", remedy=_REMEDY)


def _contradicts_itself(one: Checked) -> bool:
    results = [one.result, *([one.upstream] if one.upstream else [])]
    return any(result.passed == bool(result.error) for result in results)


def _few(complaints: list[str]) -> str:
    rest = len(complaints) - _MAX_COMPLAINTS
    return "; ".join(complaints[:_MAX_COMPLAINTS]) + (f"; and {rest} more" if rest > 0 else "")


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _is_tuple(kind: object) -> bool:
    return get_origin(kind) is tuple


def _finite(value: object, _: type) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]
        raise TypeError("expected a finite number")
    return value  # type: ignore[return-value]


def _converter() -> cattrs.Converter:
    """Return a converter that refuses unknown fields, numbers such as 1e999, and a string for a list."""
    converter = strict_converter().copy(forbid_extra_keys=True)
    converter.register_structure_hook(float, _finite)

    def tuple_of(value: object, target: Any) -> tuple[Any, ...]:  # noqa: ANN401 - cattrs's own hooks are untyped
        if not isinstance(value, list | tuple):
            raise TypeError("expected a list")
        return plain(value, target)  # type: ignore[no-any-return]

    plain = converter.get_structure_hook(tuple[str, ...])
    converter.register_structure_hook_func(_is_tuple, tuple_of)
    return converter


_CONVERTER = _converter()
