"""Warning signs as data: what is read, and how a wrong file is reported."""

from pathlib import Path

import pytest

from bot.safety import universal_signs
from ingest.errors import ConfigError
from ingest.signs import WarningSigns, parse_signs, read_signs, split_wording

CORPUS_SIGNS = Path(__file__).parents[2] / "corpus" / "warning-signs"
GOOD = """
[concepts.numb]
kind = "problem"
words = ["numb", "no feeling"]

[concepts.saddle]
kind = "context"
words = ["between (my|the) legs"]

[sources]
N1 = "A leaflet"

[messages.go]
title = "Go"
text = "Call {emergency}."
call = "emergency"

[[signs]]
id = "saddle"
tier = "emergency"
concern = "Cauda equina"
message = "go"
sources = ["N1"]
when = ["numb + saddle within 6"]
"""


def test_a_good_file_is_read_whole() -> None:
    """ensures that what stands in a file arrives in the data."""
    signs = parse_signs({"good.toml": GOOD})
    (sign,) = signs.signs
    assert (sign.id, sign.tier, sign.message, sign.sources) == ("saddle", "emergency", "go", ("N1",))
    (rule,) = sign.rules
    assert (rule.concepts, rule.within, rule.is_ordered) == (("numb", "saddle"), 6, False)
    assert signs.concepts["numb"].is_problem
    assert not signs.concepts["saddle"].is_problem


def test_examples_may_stand_in_a_file_of_their_own() -> None:
    """ensures that examples reach their sign, whose concepts are then hints."""
    (sign,) = parse_signs({"a.toml": GOOD, "b.toml": '[examples]\nsaddle = ["no feeling there"]'}).signs
    assert sign.examples == ("no feeling there",)
    assert sign.hints == ("numb", "saddle")


def test_examples_of_no_sign_are_refused() -> None:
    """ensures that a misspelled sign does not lose its examples silently."""
    with pytest.raises(ConfigError, match="examples of the sign 'sadle'"):
        parse_signs({"a.toml": GOOD, "b.toml": '[examples]\nsadle = ["no feeling there"]'})


def test_files_may_share_what_they_define() -> None:
    """ensures that a sign may use a concept, message and source of another file."""
    head, tail = GOOD.split("[[signs]]")
    assert parse_signs({"a.toml": head, "b.toml": "[[signs]]" + tail}) == parse_signs({"good.toml": GOOD})


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("[concepts.numb]", "[concepts.numb", "broken.toml is not valid TOML"),
        ('kind = "problem"', 'kind = "symptom"', "'concepts.numb.kind' should be one of problem, context"),
        (
            'words = ["numb", "no feeling"]',
            "words = []",
            "'concepts.numb.words' should be a list with at least",
        ),
        (
            'words = ["numb", "no feeling"]',
            'words = "numb"',
            "'concepts.numb.words' should be a list of texts",
        ),
        ('"no feeling"', '"no (feeling"', "'no (feeling': brackets do not match"),
        ('"no feeling"', '"(no|)"', "every word may be left out"),
        (
            'tier = "emergency"',
            'tier = "red"',
            "'signs[1].tier' should be one of see-someone, urgent, emergency",
        ),
        ('tier = "emergency"', "", "'signs[1].tier' should be a text that is not empty"),
        ('message = "go"', 'message = "run"', "Sign 'saddle' has the message 'run', which no file defines"),
        ('sources = ["N1"]', 'sources = ["N9"]', "Sign 'saddle' names the source 'N9'"),
        ('sources = ["N1"]', "sources = []", "'signs[1].sources' should be a list with at least one text"),
        ("numb + saddle", "numb + sadle", "Sign 'saddle' names the concept 'sadle'"),
        ("numb + saddle", "numb and saddle", "'numb and saddle within 6' is none"),
        ("within 6", "within six", "is none"),
        ("{emergency}", "{ambulance}", "no other placeholders than emergency, urgent, crisis"),
        ('call = "emergency"', 'call = "999"', "'messages.go.call' should be one of emergency, urgent"),
        ('concern = "Cauda equina"', 'concern = "x"\ncolour = "red"', "'signs[1].colour' should be left out"),
    ],
)
def test_a_wrong_file_is_reported_by_file_key_and_expectation(old: str, new: str, complaint: str) -> None:
    """ensures that the message of a ConfigError says where to look and what was expected."""
    assert old in GOOD
    with pytest.raises(ConfigError) as error:
        parse_signs({"broken.toml": GOOD.replace(old, new, 1)})
    assert complaint in str(error.value)


def test_two_signs_with_one_id_are_refused() -> None:
    """ensures that no sign silently hides another."""
    tail = "[[signs]]" + GOOD.split("[[signs]]")[1]
    with pytest.raises(ConfigError, match="'saddle' is defined twice"):
        parse_signs({"a.toml": GOOD, "b.toml": tail})


def test_merging_puts_wordings_together() -> None:
    """ensures that a guide can add wordings to a concept that is there already."""
    more = parse_signs({"more.toml": '[concepts.numb]\nkind = "problem"\nwords = ["dead"]'})
    merged = parse_signs({"good.toml": GOOD}).merge(more)
    assert merged.concepts["numb"].words == ("numb", "no feeling", "dead")


def test_merging_with_nothing_changes_nothing() -> None:
    """ensures that a guide without signs of its own gets the universal ones as they are."""
    signs = parse_signs({"good.toml": GOOD})
    assert signs.merge(WarningSigns()) == signs


def test_a_wording_is_split_into_places() -> None:
    """ensures that brackets and endings stand for what the module says."""
    assert split_wording("can't (feel|move|) my leg~") == (
        ("can't",),
        ("feel", "move", ""),
        ("my",),
        ("leg", "legs", "leged", "leging", "legged", "legging"),
    )
    assert split_wording("pee~") == (("pee", "pees", "peed", "peeing"),)


def test_a_missing_or_empty_folder_is_named(tmp_path: Path) -> None:
    """ensures that a wrong path in guide.toml is reported with what to do."""
    with pytest.raises(ConfigError, match=r"correct 'warning_signs' in guide\.toml"):
        read_signs(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"holds no \.toml file"):
        read_signs(tmp_path)


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    """ensures that bytes which are no text are reported, not raised as a traceback."""
    (tmp_path / "signs.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read as UTF-8"):
        read_signs(tmp_path)


def test_the_shipped_signs_have_what_a_reviewer_needs() -> None:
    """ensures that every sign has sources, a message, and a reminder where exercises are held back."""
    signs = universal_signs().merge(read_signs(CORPUS_SIGNS))
    assert {sign.tier for sign in signs.signs} == {"emergency", "urgent", "see-someone"}
    for sign in signs.signs:
        message = signs.messages[sign.message]
        if sign.tier == "emergency":
            assert message.reminder, sign.id
            assert "{emergency}" in message.text, sign.id
        assert all(signs.sources[source] for source in sign.sources)


def test_reading_a_folder_equals_parsing_its_contents() -> None:
    """ensures that an index that carries the text of the files gives the same signs."""
    contents = {path.name: path.read_text(encoding="utf-8") for path in CORPUS_SIGNS.glob("*.toml")}
    assert parse_signs(contents) == read_signs(CORPUS_SIGNS)


@pytest.mark.parametrize("key", ["least_likeness", "least_in_figures"])
def test_a_bar_of_likeness_is_a_number(key: str) -> None:
    """ensures that a sign may name its own bar, and that anything but a number is refused."""
    folder = Path(__file__).parents[2] / "bot" / "data" / "warning-signs"
    files = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.toml")}
    heading = "[[signs]]\n"
    own = files["universal.toml"].replace(heading, f"{heading}{key} = -0.25\n", 1)
    own = own.replace("least_in_figures = 0.5\n", "")
    assert getattr(parse_signs({**files, "universal.toml": own}).signs[0], key) == -0.25
    wrong = own.replace(f"{key} = -0.25", f'{key} = "low"')
    with pytest.raises(ConfigError, match="a number"):
        parse_signs({**files, "universal.toml": wrong})
