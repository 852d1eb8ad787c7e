import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.datatypes import PassageKind, SegmentRole
from ingest.passages import split_passages
from ingest.readers import read_document
from ingest.sentences import split_sentences
from ingest.structure import find_blocks
from tests.ingest.guides import (
    KNEES,
    LIST_SIZES,
    MAX_WORDS,
    SLEEP,
    Reading,
    check_laws,
    check_nothing_is_lost,
    check_places,
    check_sizes,
    count_words,
    raw_text,
    read_guide,
    read_string,
    to_markdown,
)

GUIDE_PDF = Path(__file__).resolve().parents[2] / "corpus" / "guide.pdf"


# Sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Walk, e.g. 20 minutes. Rest.", ["Walk, e.g. 20 minutes.", "Rest."]),
        ("Ask Dr. Smith or Prof. Jones. Go.", ["Ask Dr. Smith or Prof. Jones.", "Go."]),
        ("Walk for 30-45 min. Then rest.", ["Walk for 30-45 min.", "Then rest."]),
        ("It takes approx. 5 minutes.", ["It takes approx. 5 minutes."]),
        ("Take 2.5 litres. Drink.", ["Take 2.5 litres.", "Drink."]),
        ('He said "stop." Then he left.', ['He said "stop."', "Then he left."]),
        ("Hold it (about 5 seconds). Let go.", ["Hold it (about 5 seconds).", "Let go."]),
        ("By J. R. Smith. Good.", ["By J. R. Smith.", "Good."]),
        ("Take vitamin C. It helps.", ["Take vitamin C.", "It helps."]),
        ("1. Lie down. Rest.", ["1. Lie down.", "Rest."]),
        ("See No. 5 there. The answer is no. Rest.", ["See No. 5 there.", "The answer is no.", "Rest."]),
        ("Wait\u2026 Go on.", ["Wait\u2026", "Go on."]),
        ("At 8 a.m. the light is best.", ["At 8 a.m. the light is best."]),
        ("no capital", ["no capital"]),
        ("", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in split_sentences(text)] == expected


# Shapes of passages


def test_ids_are_the_same_in_every_run_and_change_with_the_place(tmp_path: Path) -> None:
    first = read_string(tmp_path, to_markdown(KNEES))
    second = read_string(tmp_path, to_markdown(KNEES))
    assert [p.id for p in first.passages] == [p.id for p in second.passages]
    moved = read_string(tmp_path, to_markdown(KNEES), "other.md")
    assert not {p.id for p in moved.passages} & {p.id for p in first.passages}


def test_equal_text_at_two_places_has_two_ids(tmp_path: Path) -> None:
    reading = read_string(tmp_path, "# A\n\n## B\n\n**Why?** Because.\n\n**Why?** Because.\n")
    assert [p.text for p in reading.passages] == ["Because.", "Because."]
    check_laws(reading)


def test_a_change_keeps_the_ids_of_the_other_passages(tmp_path: Path) -> None:
    before = {p.id for p in read_string(tmp_path, to_markdown(KNEES)).passages}
    after = {p.id for p in read_string(tmp_path, to_markdown(KNEES).replace("Do 6 steps.", "Do 7.")).passages}
    assert len(before - after) == len(after - before) == 1


def test_the_last_sentence_of_a_long_paragraph_is_the_lead(tmp_path: Path) -> None:
    talk = "This sentence tells something that is not about the list at all. " * 5
    reading = read_string(tmp_path, f"# A\n\n## B\n\n{talk}Do these:\n\n- Walk\n- Swim\n")
    prose, found = reading.passages
    assert prose.text == talk.strip()
    assert found.text == "Do these:\n- Walk\n- Swim"
    check_laws(reading)


def test_a_short_paragraph_before_a_list_is_its_lead_as_a_whole(tmp_path: Path) -> None:
    reading = read_string(tmp_path, "# A\n\n## B\n\nFour ways help. Try one a week:\n\n- Walk\n- Swim\n")
    (found,) = reading.passages
    assert [s.role for s in found.segments] == [SegmentRole.LEAD] * 2 + [SegmentRole.ITEM] * 2


def test_short_paragraphs_of_a_section_are_joined_and_long_ones_are_not(tmp_path: Path) -> None:
    long = "This paragraph has a good number of words and says little with them. " * 4
    reading = read_string(tmp_path, f"# A\n\n## B\n\nOne.\n\nTwo.\n\n{long}\n\n{long}\n\n## C\n\nThree.\n")
    assert [p.text for p in reading.passages] == [f"One. Two. {long.strip()}", long.strip(), "Three."]


def test_bullets_that_name_only_some_items_are_a_list_of_their_own(tmp_path: Path) -> None:
    text = "# A\n\n## B\n\nThink of:\n\n- Walk\n- Shoes\n\n### Walk\n\nDaily.\n\n### Swim\n\nWeekly.\n"
    reading = read_string(tmp_path, text)
    assert not reading.of_kind(PassageKind.ITEM)
    assert reading.of_kind(PassageKind.LIST)[0].item_ids == ()
    check_laws(reading)


@pytest.mark.parametrize("limit", [12, 20, 35])
def test_what_is_too_long_is_split_and_nothing_is_lost(tmp_path: Path, limit: int) -> None:
    for guide in (KNEES, SLEEP):
        for style in ("heading", "bullet, bold"):
            text = to_markdown(guide, style).replace("## Common Questions", "## FAQ")
            text = text.replace(
                "Should I wear a brace, and if so, for how many hours a day?", "Wear a brace?"
            )
            reading = read_string(tmp_path, text, max_tokens=limit)
            check_laws(reading, limit)
            whole = read_string(tmp_path, text, max_tokens=1000)
            assert _words(reading) == _words(whole)


def _words(reading: Reading) -> Counter[str]:
    """Count the words of all passages; a lead that comes back in the parts of a list counts once."""
    leads = {s.text for p in reading.passages for s in p.segments if s.role is SegmentRole.LEAD}
    rest = [s.text for p in reading.passages for s in p.segments if s.role is not SegmentRole.LEAD]
    return Counter(" ".join([*leads, *rest]).split())


def test_parts_of_a_long_answer_have_one_title(tmp_path: Path) -> None:
    answer = "This is a sentence of the answer, and it goes on for a while. " * 20
    reading = read_string(tmp_path, f"# A\n\n## Questions\n\n### Why?\n\n{answer}\n", max_tokens=60)
    assert len(reading.passages) > 3
    assert {(p.kind, p.title) for p in reading.passages} == {(PassageKind.FAQ, "Why?")}


def test_parts_of_a_long_list_have_the_lead_and_their_own_items(tmp_path: Path) -> None:
    entries = "".join(f"- **Way number {n}:** Do this, then that.\n" for n in range(30))
    reading = read_string(tmp_path, f"# A\n\n## B\n\nTry these:\n\n{entries}", max_tokens=40)
    lists = reading.of_kind(PassageKind.LIST)
    assert len(lists) > 2
    assert all(found.segments[0].text == "Try these:" for found in lists)
    assert sum(len(found.item_ids) for found in lists) == 30
    check_laws(reading, 40)


@pytest.mark.parametrize(
    "entry", ["- **Soaking:** Take", "- **Soaking**: Take", "- Soaking: Take", "### Soaking\n\nTake"]
)
def test_the_place_of_a_title_is_that_of_the_title_alone(tmp_path: Path, entry: str) -> None:
    other = entry.replace("Soaking", "Drying")
    text = f"# A\n\n## B\n\nDo these:\n\n{entry} it out and wash it.\n\n{other} it out and wash it.\n"
    reading = read_string(tmp_path, text)
    found = [(p.title, raw_text(reading.document, p.title_spans)) for p in reading.of_kind(PassageKind.ITEM)]
    assert found == [("Soaking", "Soaking"), ("Drying", "Drying")]
    check_laws(reading)


# Changes


WORDS = ("knee", "bend", "hold", "breath", "lift", "leg", "chair", "floor", "heel", "rest", "week", "towel")


def _sentence(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(9, 16))).capitalize() + "."


def _paragraph(rng: random.Random) -> str:
    return " ".join(_sentence(rng) for _ in range(rng.randint(1, 2)))


def _change(parts: list[str], new: str, rng: random.Random) -> list[str]:
    """Let one part grow, shrink or go, or put a new one in."""
    at = rng.randrange(len(parts))
    part = rng.choice([[f"{parts[at]} {new}"], [f"{parts[at][:-20]}."], [], [new, parts[at]]])
    return [*parts[:at], *part, *parts[at + 1 :]]


MakePart = Callable[[random.Random], str]
LONG: dict[str, tuple[MakePart, str, str]] = {  # how a part is made, what stands before the first and between
    "paragraphs": (_paragraph, "", "\n\n"),
    "sentences": (_sentence, "", " "),
    "entries": (_sentence, "Do these things:\n\n- ", "\n- "),
    "an answer": (_sentence, "**Why so?** ", " "),
}


@pytest.mark.parametrize(("make", "before", "between"), LONG.values(), ids=LONG)
def test_a_change_in_a_long_section_changes_at_most_three_passages(
    tmp_path: Path, make: MakePart, before: str, between: str
) -> None:
    """Ensures that boundaries do not move all the way after a change, and that the laws hold nevertheless."""
    rng = random.Random(1)  # noqa: S311

    def read(parts: list[str]) -> Reading:
        return read_string(tmp_path, f"# A\n\n## B\n\n{before}{between.join(parts)}\n\n## C\n\nThe end.\n")

    parts = [make(rng) for _ in range(80)]
    whole = read(parts)
    check_laws(whole)
    ids = {p.id for p in whole.passages}
    assert len(ids) > 8
    for _ in range(20):
        reading = read(_change(parts, make(rng), rng))
        check_places(reading)
        check_sizes(reading, MAX_WORDS)
        assert 0 < len({p.id for p in reading.passages} - ids) <= 3


def test_the_paragraphs_of_a_section_of_few_passages_are_joined_in_order(tmp_path: Path) -> None:
    """Ensures that such a section has the fullest passages, whatever the checksums of its paragraphs."""
    paragraphs = [
        f"This is paragraph number {n} of a section that has no more than three passages." for n in range(24)
    ]
    reading = read_string(tmp_path, "# A\n\n## B\n\n" + "\n\n".join(paragraphs))
    assert [len(p.segments) for p in reading.passages] == [8, 8, 8]


# Growth

MIN_SECONDS = 0.03  # below it, the clock and the collector decide and not the text


def _seconds(path: Path, text: str) -> float:
    path.write_text(text, encoding="utf-8")
    begin = time.process_time()
    document = read_document(path, path.name)
    blocks, _ = find_blocks(document)
    split_passages(document, blocks, count_words, MAX_WORDS)
    return time.process_time() - begin


GROWING: dict[str, Callable[[int], str]] = {
    "a long word": lambda n: "a" * 8 * n,
    "a long line": lambda n: "walk a bit " * n,
    "sentences": lambda n: "".join(f"Walk for {k} steps. " for k in range(n)),
    "spaces": lambda n: f"a{' ' * 8 * n}b\n{' ' * 8 * n}\nQ{' ' * 8 * n}b",
    "dots": lambda n: f"a{'.' * 8 * n}b{'. ' * 4 * n}c",
    "initials": lambda n: "J. Smith e.g. Tim " * (n // 2),
    "headings": lambda n: "# Some Head\n\n" * (n // 2),
    "bullets": lambda n: "- walk\n" * n + "- **Go:** out\n" * (n // 4),
    "lists": lambda n: "- walk\n- run\n\nSome text.\n\n" * (n // 4),
    "short lines": lambda n: "If so:\n\n" * n,
    "contents lists": lambda n: "Contents\n\nfoo ..... 5\n\nReferences\n\n" * (n // 6),
    "brackets": lambda n: "[" * n + "a" + "](b)" * n,
    "asterisks": lambda n: " *a" * n + "b~~ " * n,
    "comments": lambda n: "a " + "<!-- " * n,
    "a table": lambda n: "| a | b |\n|---|---|\n" + "| Walk: | every day, a bit |\n" * (n // 3),
    "pages": lambda n: "a\n\f" * (n // 2) + "some text goes\n\n\n\non and on\n\n\n\n" * (n // 6),
}


@pytest.mark.parametrize("suffix", [".txt", ".md"])
@pytest.mark.parametrize("make", GROWING.values(), ids=GROWING)
def test_twice_the_text_takes_no_more_than_thrice_the_time(
    tmp_path: Path, make: Callable[[int], str], suffix: str
) -> None:
    path = tmp_path / f"a{suffix}"
    # What grows too fast fails each time; a busy machine does not.
    tries = ([_seconds(path, make(n)) for n in (400, 800)] for _ in range(3))
    assert any(double < 3 * max(single, MIN_SECONDS) for single, double in tries)


# The guide


def test_the_guide_obeys_the_laws(guide_pdf: Reading) -> None:
    check_laws(guide_pdf)
    check_nothing_is_lost(guide_pdf)


@pytest.fixture(scope="module")
def guide_pdf() -> Reading:
    return read_guide(GUIDE_PDF, MAX_WORDS)


def test_the_guide_has_its_lists_and_questions(guide_pdf: Reading) -> None:
    linked = [p for p in guide_pdf.of_kind(PassageKind.LIST) if p.item_ids]
    assert [len(p.item_ids) for p in linked] == LIST_SIZES
    assert len(guide_pdf.of_kind(PassageKind.FAQ)) == 8
    assert {p.section for p in guide_pdf.of_kind(PassageKind.FAQ)} == {("Frequently Asked Questions",)}
    assert guide_pdf.passages[0].page_label == "i"


def test_the_guide_reads_alike_from_pdf_and_markdown(guide_pdf: Reading) -> None:
    markdown = read_guide(GUIDE_PDF.with_suffix(".md"), MAX_WORDS)
    assert [(p.kind, p.section, p.title, p.text) for p in guide_pdf.passages] == [
        (p.kind, p.section, p.title, p.text) for p in markdown.passages
    ]


def test_the_counter_of_the_tests_counts_words() -> None:
    assert count_words("one two\nthree") == 3
