"""In which parameters runs differ that names do not tell apart."""

from collections.abc import Mapping, Sequence
from typing import Any

from asdbench.harness.record import RunRecord


def varied_params(records: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """For each run the parameters, by ``component.param``, that others of its system or of a component differ in."""
    values: dict[tuple[str | None, str], list[Any]] = {}
    of_records = [_params(record) for record in records]
    for record, params in zip(records, of_records, strict=True):
        for key, value in params.items():
            seen = values.setdefault((record.asked.system, key), [])
            if value not in seen:
                seen.append(value)
    return [
        {key: value for key, value in params.items() if len(values[record.asked.system, key]) > 1}
        for record, params in zip(records, of_records, strict=True)
    ]


def varied_text(params: Mapping[str, Any]) -> str:
    """``layer=2, pooling=rdp``."""
    return ", ".join(f"{key.rpartition('.')[2]}={_text(value)}" for key, value in params.items())


def _params(record: RunRecord) -> dict[str, Any]:
    components = [record.extractor, record.frontend, *record.augmentations, record.scorer]
    return {f"{one.name}.{key}": value for one in components if one for key, value in one.params.items()}


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
