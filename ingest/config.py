"""guide.toml: everything that is special to one guide, validated with errors that name the key.

Takes the text of the file, gives a :class:`GuideConfig`. Only ``title`` is required. Where the file
is looked for is decided by ``build``; what the bot needs of it travels in the index generation.
"""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ingest.datatypes import ReadingLimits
from ingest.errors import ConfigError
from ingest.signs import EmergencyNumbers

__all__ = ["DEFAULT_DISCLAIMER", "GuideConfig", "parse_config"]

DEFAULT_DISCLAIMER = (
    "This is general information from the guide, not medical advice. "
    "Please seek professional guidance from a doctor or another qualified health professional."
)
DEFAULT_NUMBERS = EmergencyNumbers(
    emergency="your local emergency number (for example 999, 112 or 911)",
    emergency_call="",
    urgent="your doctor or an out-of-hours medical service",
    urgent_call="",
    crisis="a crisis helpline in your country, or your local emergency number",
    crisis_call="",
)
DEFAULT_ACCENT = "#1f6f5c"
MAX_MESSAGE_CHARS = 4000  # longer than any question; keeps the cost of one message bounded


@dataclass(frozen=True, slots=True)
class GuideConfig:
    """The validated content of guide.toml.

    :param sources: Glob patterns of the documents in the folder; empty means every supported file.
    :param encoder: Name or path of a sentence-transformers model, "" for the bundled one.
    :param evaluation: File of judged questions for the quality gate, relative to guide.toml; "" for none.
    :param warning_signs: Folder of the warning-sign files, relative to guide.toml; "" for none.
    :param reading: Limits of size, pages, time and memory, and the password that opens locked PDFs.
    :param numbers: Whom to call, in the wording of the region.
    :param decline_threshold: Least similarity of an answer, None to use the calibrated one.
    """

    title: str
    description: str = ""
    disclaimer: str = DEFAULT_DISCLAIMER
    sources: tuple[str, ...] = ()
    encoder: str = ""
    evaluation: str = ""
    warning_signs: str = ""
    region: str = "default"
    numbers: EmergencyNumbers = field(default=DEFAULT_NUMBERS)
    accent: str = DEFAULT_ACCENT
    max_message_chars: int = MAX_MESSAGE_CHARS
    decline_threshold: float | None = None
    reading: ReadingLimits = field(default=ReadingLimits())


_READING_LIMITS = {
    "max_document_mib": "max_document_mib",
    "max_pages": "max_pages",
    "max_read_seconds": "max_seconds",
    "max_read_memory_mib": "max_memory_mib",
}

# key -> type; a table is a nested mapping
_SCHEMA: dict[str, Any] = {
    "title": str,
    "description": str,
    "disclaimer": str,
    "sources": list,
    "encoder": str,
    "evaluation": str,
    "warning_signs": str,
    "region": str,
    "emergency": dict,
    "page": {"accent": str},
    "limits": {"max_message_chars": int, **dict.fromkeys(_READING_LIMITS, int)},
    "password": str,
    "decline": {"threshold": (int, float)},
}
_TYPE_NAMES = {str: "text in quotes", list: "a list", int: "a whole number", (int, float): "a number"}


def _fail(name: str, problem: str) -> ConfigError:
    return ConfigError(f"{name}: {problem}")


def _check(table: Mapping[str, Any], schema: Mapping[str, Any], name: str, prefix: str = "") -> None:
    for key, value in table.items():
        if key not in schema:
            near = difflib.get_close_matches(key, list(schema), n=1)
            hint = f"; did you mean {prefix}{near[0]}?" if near else f"; known are {', '.join(schema)}."
            raise _fail(name, f"the setting {prefix}{key} is not known{hint}")
        wanted = schema[key]
        if isinstance(wanted, dict) or wanted is dict:
            if not isinstance(value, dict):
                raise _fail(name, f"{prefix}{key} must be a table ([{key}]), found {value!r}.")
            if isinstance(wanted, dict):
                _check(value, wanted, name, f"{prefix}{key}.")
        elif not isinstance(value, wanted) or isinstance(value, bool):
            raise _fail(name, f"{prefix}{key} must be {_TYPE_NAMES[wanted]}, found {value!r}.")


def _numbers(tables: Mapping[str, Any], region: str, name: str) -> EmergencyNumbers:
    known = {key: getattr(DEFAULT_NUMBERS, key) for key in EmergencyNumbers.__slots__}
    for key, table in tables.items():
        if not isinstance(table, dict):
            raise _fail(name, f"emergency.{key} must be a table ([emergency.{key}]), found {table!r}.")
        _check(table, dict.fromkeys(known, str), name, f"emergency.{key}.")
        for setting, value in table.items():
            place = f"emergency.{key}.{setting}"
            if setting.endswith("_call"):
                is_right = all(c in "0123456789+*# " for c in value)
                _need(is_right, name, f"{place} must be digits to dial, or empty, found {value!r}.")
            else:  # stands in a warning as it is
                _need(bool(value.strip()), name, f"{place} must not be empty; leave it out for the default.")
    if region not in tables and region != "default":
        there = ", ".join(tables) or "none"
        raise _fail(name, f"region is {region!r} but there is no [emergency.{region}]; there are: {there}.")
    return EmergencyNumbers(**{**known, **tables.get("default", {}), **tables.get(region, {})})


def _need(is_right: bool, name: str, problem: str) -> None:
    if not is_right:
        raise _fail(name, problem)


def parse_config(text: str, name: str = "guide.toml") -> GuideConfig:
    """Read and validate the text of a guide.toml.

    :param name: How error messages name the file.
    :raises ConfigError: If the text is not TOML, a key is unknown or a value is not what it must be.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise _fail(name, f"this is not valid TOML: {exc}.") from exc
    _check(data, _SCHEMA, name)
    _need(bool(str(data.get("title", "")).strip()), name, 'the setting title is missing; add title = "...".')
    _need("disclaimer" not in data or bool(data["disclaimer"].strip()), name, "disclaimer must not be empty.")
    sources = data.get("sources", [])
    _need(all(isinstance(s, str) and s for s in sources), name, "sources must be a list of file patterns.")
    threshold = data.get("decline", {}).get("threshold")
    _need(threshold is None or 0 <= threshold <= 1, name, "decline.threshold must lie between 0 and 1.")
    max_chars = data.get("limits", {}).get("max_message_chars", MAX_MESSAGE_CHARS)
    _need(max_chars >= 100, name, "limits.max_message_chars must be 100 or more.")
    limits = data.get("limits", {})
    for key in _READING_LIMITS:
        _need(limits.get(key, 1) >= 1, name, f"limits.{key} must be 1 or more.")
    given = {to: limits[key] for key, to in _READING_LIMITS.items() if key in limits}
    accent = data.get("page", {}).get("accent", DEFAULT_ACCENT)
    is_colour = (
        len(accent) == 7 and accent[0] == "#" and all(c in "0123456789abcdefABCDEF" for c in accent[1:])
    )
    _need(is_colour, name, f'page.accent must be a colour such as "{DEFAULT_ACCENT}", found {accent!r}.')
    region = data.get("region", "default")
    return GuideConfig(
        title=data["title"].strip(),
        description=data.get("description", "").strip(),
        disclaimer=data.get("disclaimer", DEFAULT_DISCLAIMER).strip(),
        sources=tuple(sources),
        encoder=data.get("encoder", ""),
        evaluation=data.get("evaluation", ""),
        warning_signs=data.get("warning_signs", ""),
        region=region,
        numbers=_numbers(data.get("emergency", {}), region, name),
        accent=accent,
        max_message_chars=max_chars,
        decline_threshold=threshold,
        reading=ReadingLimits(**given, password=data.get("password", "")),
    )
