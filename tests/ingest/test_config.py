"""guide.toml: what may stand in it, and what is said when something else does."""

import dataclasses
import tomllib

import pytest

from ingest.config import DEFAULT_DISCLAIMER, DEFAULT_NUMBERS, GuideConfig, parse_config
from ingest.datatypes import ReadingLimits
from ingest.errors import ConfigError
from tests.conftest import ROOT

B = 'title = "B"\n'
FULL = """\
title = "  Keeping Bees  "
description = "How to keep bees."
disclaimer = "Ask a beekeeper."
sources = ["bees.pdf", "more/*.md"]
encoder = "models/bees"
evaluation = "questions.jsonl"
password = "honey"
warning_signs = "signs"
region = "GB"

[emergency.default]
crisis = "a helpline"

[emergency.GB]
emergency = "999"
emergency_call = "999"
urgent = "NHS 111"
urgent_call = "111"

[page]
accent = "#AbC123"

[limits]
max_message_chars = 100
max_document_mib = 7
max_pages = 8
max_read_seconds = 9
max_read_memory_mib = 10

[decline]
threshold = 0.25
"""


def error_of(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "bees/guide.toml")
    return str(caught.value)


def test_only_the_title_is_required() -> None:
    assert parse_config('title = "Bees"') == GuideConfig(title="Bees")


def test_defaults_need_no_country_and_never_limit_a_question() -> None:
    guide = parse_config('title = "Bees"')
    assert guide.disclaimer == DEFAULT_DISCLAIMER
    assert "professional" in guide.disclaimer
    assert guide.numbers.emergency.startswith("your local emergency number")
    assert (guide.numbers.emergency_call, guide.numbers.urgent_call, guide.numbers.crisis_call) == (
        "",
        "",
        "",
    )
    assert guide.region == "default"
    assert (guide.sources, guide.encoder, guide.warning_signs) == ((), "", "")
    assert guide.max_message_chars == 4000
    assert guide.decline_threshold is None


def test_every_setting_is_read() -> None:
    guide = parse_config(FULL)
    assert guide == GuideConfig(
        title="Keeping Bees",
        description="How to keep bees.",
        disclaimer="Ask a beekeeper.",
        sources=("bees.pdf", "more/*.md"),
        encoder="models/bees",
        warning_signs="signs",
        region="GB",
        numbers=dataclasses.replace(
            DEFAULT_NUMBERS,
            emergency="999",
            emergency_call="999",
            urgent="NHS 111",
            urgent_call="111",
            crisis="a helpline",
        ),
        accent="#AbC123",
        evaluation="questions.jsonl",
        reading=ReadingLimits(7, 8, 9, 10, "honey"),
        max_message_chars=100,
        decline_threshold=0.25,
    )


def test_every_setting_of_the_full_example_is_not_the_default() -> None:
    """Ensures that the test above would notice a setting that is not read."""
    full, plain = parse_config(FULL), parse_config('title = "Bees"')
    same = [f.name for f in dataclasses.fields(full) if getattr(full, f.name) == getattr(plain, f.name)]
    assert same == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", 'the setting title is missing; add title = "..."'),
        ('title = ""', "the setting title is missing"),
        ('title = "  \\n"', "the setting title is missing"),
        ("title = 3", "title must be text in quotes, found 3"),
        ('title = ["Bees"]', "title must be text in quotes, found ['Bees']"),
        ("title = true", "title must be text in quotes, found True"),
        ("title = 2024-01-01", "title must be text in quotes"),
        (B + "description = 1.5", "description must be text in quotes, found 1.5"),
        (B + "disclaimer = false", "disclaimer must be text in quotes, found False"),
        (B + 'disclaimer = " "', "disclaimer must not be empty"),
        (B + 'sources = "bees.pdf"', "sources must be a list, found 'bees.pdf'"),
        (B + 'sources = ["bees.pdf", 7]', "sources must be a list of file patterns"),
        (B + 'sources = [""]', "sources must be a list of file patterns"),
        (B + 'encoder = ["x"]', "encoder must be text in quotes, found ['x']"),
        (B + "warning_signs = true", "warning_signs must be text in quotes, found True"),
        (B + "region = 44", "region must be text in quotes, found 44"),
        (B + 'emergency = "999"', "emergency must be a table ([emergency]), found '999'"),
        (
            B + '[emergency]\nGB = "999"',
            "emergency.GB must be a table ([emergency.GB]), found '999'",
        ),
        (
            B + "[emergency.GB]\nurgent = 111",
            "emergency.GB.urgent must be text in quotes, found 111",
        ),
        (B + '[emergency.GB]\nurgent = ""', "emergency.GB.urgent must not be empty"),
        (
            B + '[emergency.GB]\ncrisis_call = "call us"',
            "emergency.GB.crisis_call must be digits to dial",
        ),
        (B + 'page = "#112233"', "page must be a table ([page]), found '#112233'"),
        (B + "[page]\naccent = 112233", "page.accent must be text in quotes, found 112233"),
        (
            B + '[page]\naccent = "green"',
            "page.accent must be a colour such as \"#1f6f5c\", found 'green'",
        ),
        (B + '[page]\naccent = "#12345g"', "page.accent must be a colour"),
        (B + '[page]\naccent = ""', "page.accent must be a colour"),
        (B + "[limits]\nmax_message_chars = 1e9", "limits.max_message_chars must be a whole number"),
        (
            B + "[limits]\nmax_message_chars = true",
            "limits.max_message_chars must be a whole number",
        ),
        (B + "[limits]\nmax_message_chars = 99", "limits.max_message_chars must be 100 or more"),
        (B + "[limits]\nmax_message_chars = -5", "limits.max_message_chars must be 100 or more"),
        (B + '[decline]\nthreshold = "0.5"', "decline.threshold must be a number, found '0.5'"),
        (B + "[decline]\nthreshold = 1.01", "decline.threshold must lie between 0 and 1"),
        (B + "[decline]\nthreshold = -0.1", "decline.threshold must lie between 0 and 1"),
        (B + "[decline]\nthreshold = nan", "decline.threshold must lie between 0 and 1"),
    ],
)
def test_a_wrong_value_is_named_with_its_file_and_what_is_expected(text: str, named: str) -> None:
    message = error_of(text)
    assert message.startswith("bees/guide.toml: ")
    assert named in message
    assert message.endswith(".")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('titel = "B"', "the setting titel is not known; did you mean title?"),
        (B + 'source = ["x"]', "the setting source is not known; did you mean sources?"),
        (
            B + 'warning-signs = "x"',
            "the setting warning-signs is not known; did you mean warning_signs?",
        ),
        (B + '[page]\nacent = "#112233"', "page.acent is not known; did you mean page.accent?"),
        (B + "[limits]\nmax_message = 1", "did you mean limits.max_message_chars?"),
        (B + '[emergency.GB]\nemergency_cal = "9"', "did you mean emergency.GB.emergency_call?"),
    ],
)
def test_an_unknown_setting_suggests_the_near_one(text: str, hint: str) -> None:
    assert hint in error_of(text)


def test_an_unknown_setting_that_is_near_to_none_lists_what_is_known() -> None:
    message = error_of(B + "zzz = 1")
    assert "the setting zzz is not known; known are title, description, disclaimer, sources" in message
    assert "decline" in message


@pytest.mark.parametrize(
    "text", ["title = ", "title = Bees", '[page\ntitle = "B"', 'title = "B"\ntitle = "C"', "\0"]
)
def test_text_that_is_not_toml_says_where_it_breaks(text: str) -> None:
    message = error_of(text)
    assert message.startswith("bees/guide.toml: this is not valid TOML: ")
    assert "(at " in message


def test_a_region_takes_its_own_wording_over_the_file_s_default_over_ours() -> None:
    text = (
        'title = "B"\nregion = "GB"\n'
        '[emergency.default]\nurgent = "a doctor"\ncrisis = "a helpline"\n'
        '[emergency.GB]\nurgent = "NHS 111"\n[emergency.US]\nurgent = "urgent care"\n'
    )
    numbers = parse_config(text).numbers
    assert (numbers.urgent, numbers.crisis) == ("NHS 111", "a helpline")
    assert numbers.emergency == DEFAULT_NUMBERS.emergency


def test_without_a_region_the_default_table_holds() -> None:
    text = B + '[emergency.default]\nurgent = "a doctor"\n[emergency.GB]\nurgent = "NHS 111"\n'
    assert parse_config(text).numbers.urgent == "a doctor"


def test_a_region_without_a_table_is_named_with_those_there_are() -> None:
    text = 'title = "B"\nregion = "FR"\n[emergency.GB]\nurgent = "x"\n[emergency.US]\nurgent = "y"\n'
    assert "region is 'FR' but there is no [emergency.FR]; there are: GB, US." in error_of(text)
    assert "there are: none." in error_of(B + 'region = "FR"\n')


def test_the_guide_s_own_file_is_valid_in_every_region() -> None:
    text = (ROOT / "corpus" / "guide.toml").read_text(encoding="utf-8")
    regions = [name for name in tomllib.loads(text)["emergency"] if name != "default"]
    assert {"GB", "US"} <= set(regions)
    for region in regions:
        changed = text.replace('region = "default"', f'region = "{region}"')
        numbers = parse_config(changed).numbers
        assert numbers.emergency_call.isdigit(), region
        assert numbers.emergency != DEFAULT_NUMBERS.emergency, region
