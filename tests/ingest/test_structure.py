from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter

from ingest.datatypes import PassageKind, SegmentRole
from tests.ingest.guides import (
    BULLET_STYLES,
    ITEM_STYLES,
    KNEES,
    QUESTION_STYLES,
    SLEEP,
    Guide,
    PdfStyle,
    Reading,
    check_guide,
    check_laws,
    read_guide,
    read_string,
    to_markdown,
    to_pdf,
    to_text,
)

GUIDES = pytest.mark.parametrize("guide", [KNEES, SLEEP], ids=lambda guide: guide.title)


def _reasons(reading: Reading) -> set[str]:
    return {omission.reason for omission in reading.omissions}


def _texts(reading: Reading, kind: PassageKind) -> list[tuple[str, str]]:
    return [(passage.title, passage.text) for passage in reading.of_kind(kind)]


# Whole guides in every style


@GUIDES
@pytest.mark.parametrize("item_style", [*ITEM_STYLES, *BULLET_STYLES])
@pytest.mark.parametrize("width", [0, 60])
def test_markdown_items_in_every_style(tmp_path: Path, guide: Guide, item_style: str, width: int) -> None:
    reading = read_string(tmp_path, to_markdown(guide, item_style, width=width))
    check_guide(reading, guide)
    check_laws(reading)


@GUIDES
@pytest.mark.parametrize("question_style", QUESTION_STYLES)
def test_markdown_questions_in_every_style(tmp_path: Path, guide: Guide, question_style: str) -> None:
    reading = read_string(tmp_path, to_markdown(guide, "heading", question_style, width=60, contents=True))
    check_guide(reading, guide)
    check_laws(reading)
    assert "contents list" in _reasons(reading)


@GUIDES
@pytest.mark.parametrize("contents", [True, False])
@pytest.mark.parametrize("width", [60, 90, 2000])
def test_plain_text_by_shape(tmp_path: Path, guide: Guide, contents: bool, width: int) -> None:
    reading = read_string(tmp_path, to_text(guide, width, contents), "guide.txt")
    check_guide(reading, guide)
    check_laws(reading)


@GUIDES
@pytest.mark.parametrize("rows", [9, 14, 23])
def test_text_broken_over_pages(tmp_path: Path, guide: Guide, rows: int) -> None:
    lines = to_text(guide, 76).splitlines()
    pages = ["\n".join(lines[start : start + rows]) for start in range(0, len(lines), rows)]
    reading = read_string(tmp_path, "\f".join(pages), "guide.txt")
    assert len(reading.document.pages) == len(pages)
    check_laws(reading)
    for section in guide.sections:
        for title, text in section.items:
            assert (title, text) in _texts(reading, PassageKind.ITEM)
        for question, answer in section.questions:
            assert (question, answer) in _texts(reading, PassageKind.FAQ)


@GUIDES
@pytest.mark.parametrize("item", ["bullet", "run-in"])
@pytest.mark.parametrize("has_contrast", [True, False])
@pytest.mark.parametrize("bottom_mm", [25, 60, 95])
def test_pdf_with_and_without_typography(
    tmp_path: Path, guide: Guide, item: str, has_contrast: bool, bottom_mm: float
) -> None:
    path = tmp_path / "guide.pdf"
    to_pdf(guide, path, PdfStyle(has_contrast, item, bottom_mm=bottom_mm))
    reading = read_guide(path)
    assert reading.document.has_typography or not has_contrast
    check_laws(reading)
    check_guide(reading, guide)
    assert {"contents list", "running header, footer or page number"} <= _reasons(reading)


@GUIDES
def test_pdf_without_cover_and_running_lines(tmp_path: Path, guide: Guide) -> None:
    path = tmp_path / "guide.pdf"
    to_pdf(guide, path, PdfStyle(has_running_lines=False, has_cover=False))
    reading = read_guide(path)
    check_laws(reading)
    check_guide(reading, guide)


def test_subheadings_of_a_pdf_are_the_items_of_the_list_that_introduces_them(tmp_path: Path) -> None:
    path = tmp_path / "guide.pdf"
    to_pdf(SLEEP, path, PdfStyle(item="heading"))
    reading = read_guide(path)
    check_laws(reading)
    check_guide(reading, SLEEP)


# Text by shape


def test_a_heading_may_be_broken_over_lines_and_pages(tmp_path: Path) -> None:
    text = (
        "Care\n\nContents\n\nWhy the Knee Needs Care Every Day\nWhat to Do\n\n"
        "Why the Knee Needs Care\nEvery Day\n\nIt does.\n\nWhat\f to Do\n\nRest and move.\n"
    )
    reading = read_string(tmp_path, text, "guide.txt")
    assert reading.headings == ("Why the Knee Needs Care Every Day", "What to Do")
    assert [p.section for p in reading.passages] == [("Why the Knee Needs Care Every Day",), ("What to Do",)]
    check_laws(reading)


def test_words_and_paragraphs_over_a_page_break_are_mended_and_not_glued(tmp_path: Path) -> None:
    text = "Care\n\nThe knee likes exer-\fcise and warm\fwater.\n"
    reading = read_string(tmp_path, text, "guide.txt")
    assert [p.text for p in reading.passages] == ["The knee likes exercise and warm water."]
    assert [span.page_index for span in reading.passages[0].segments[0].spans] == [0, 1, 2]
    check_laws(reading)


def test_a_plain_list_ends_where_its_shape_changes(tmp_path: Path) -> None:
    text = (
        "Care\n\nSeek help in the following cases:\n\nIf the knee is hot.\n\nIf it gives way.\n\n"
        "If it will not bend.\n\nThese signs need a doctor.\n"
    )
    reading = read_string(tmp_path, text, "guide.txt")
    (found,) = reading.of_kind(PassageKind.LIST)
    assert found.text == (
        "Seek help in the following cases:\n- If the knee is hot.\n- If it gives way.\n- If it will not bend."
    )
    assert [p.text for p in reading.of_kind(PassageKind.PROSE)] == ["These signs need a doctor."]


def test_a_remark_is_not_an_item(tmp_path: Path) -> None:
    for text in (
        "Walk daily.\n\nNote: stop if it hurts too much to go on.\n",
        "**Important:** Stop if it hurts.\n",
    ):
        reading = read_string(tmp_path, text)
        assert not reading.of_kind(PassageKind.ITEM)
        check_laws(reading)


def test_bold_words_at_the_start_of_a_sentence_are_not_a_title(tmp_path: Path) -> None:
    reading = read_string(tmp_path, "# A\n\n## B\n\n**Stop at once** if the knee gives way.\n")
    assert [p.text for p in reading.passages] == ["Stop at once if the knee gives way."]


def test_questions_at_the_end_do_not_belong_to_the_section_before_them(tmp_path: Path) -> None:
    questions = "".join(f"Q: May I walk {n}?\nA: Yes, you may walk {n}.\n\n" for n in ("far", "fast", "up"))
    text = f"Care\n\nContents\n\nThe Start\nThe End\n\nThe Start\n\nBegin.\n\nThe End\n\nStop.\n\n{questions}"
    reading = read_string(tmp_path, text, "guide.txt")
    assert {p.section for p in reading.of_kind(PassageKind.FAQ)} == {()}
    assert len(reading.of_kind(PassageKind.FAQ)) == 3


# Markdown


def test_numbered_lines_under_a_subheading_are_the_steps_of_an_item(tmp_path: Path) -> None:
    text = (
        "# A\n\n## Exercises\n\n### Bird-Dog\n\nA calm one.\n\n1. Kneel down.\n2. Lift a leg.\n\nBreathe.\n"
    )
    reading = read_string(tmp_path, text)
    (item,) = reading.of_kind(PassageKind.ITEM)
    assert (item.title, item.section) == ("Bird-Dog", ("Exercises",))
    assert [(s.role, s.text) for s in item.segments] == [
        (SegmentRole.SENTENCE, "A calm one."),
        (SegmentRole.STEP, "Kneel down."),
        (SegmentRole.STEP, "Lift a leg."),
        (SegmentRole.SENTENCE, "Breathe."),
    ]
    check_laws(reading)


def test_subheadings_after_a_lead_are_its_items(tmp_path: Path) -> None:
    text = "# A\n\n## B\n\nTwo ways help:\n\n### Walk\n\nDaily.\n\n### Swim\n\nWeekly.\n"
    reading = read_string(tmp_path, text)
    (found,) = reading.of_kind(PassageKind.LIST)
    assert found.text == "Two ways help:\n- Walk\n- Swim"
    assert _texts(reading, PassageKind.ITEM) == [("Walk", "Daily."), ("Swim", "Weekly.")]
    check_laws(reading)


def test_subheadings_without_a_lead_are_sections(tmp_path: Path) -> None:
    reading = read_string(tmp_path, "# A\n\n## B\n\n### Causes\n\nMany.\n\n### Course\n\nLong.\n")
    assert [p.section for p in reading.passages] == [("B", "Causes"), ("B", "Course")]


def test_a_guide_of_questions_as_sections(tmp_path: Path) -> None:
    text = "# FAQ\n\n" + "".join(f"## What is {n}?\n\nIt is {n}.\n\n" for n in ("gout", "rest", "pain"))
    reading = read_string(tmp_path, text)
    assert _texts(reading, PassageKind.FAQ) == [
        (f"What is {n}?", f"It is {n}.") for n in ("gout", "rest", "pain")
    ]
    check_laws(reading)


def test_a_question_that_heads_a_section_stays_a_heading(tmp_path: Path) -> None:
    reading = read_string(tmp_path, "# A\n\n## What Is Gout?\n\nCrystals.\n\n## Diet\n\nEat well.\n")
    assert [p.kind for p in reading.passages] == [PassageKind.PROSE, PassageKind.PROSE]


def test_an_answer_keeps_its_list(tmp_path: Path) -> None:
    text = "# A\n\n## Questions\n\n### What helps?\n\nTwo things:\n\n- Rest\n- Ice\n\nTry both.\n"
    reading = read_string(tmp_path, text)
    (entry,) = reading.of_kind(PassageKind.FAQ)
    assert entry.text == "Two things:\n- Rest\n- Ice Try both."
    check_laws(reading)


def test_a_question_beside_a_subsection_is_not_put_under_it(tmp_path: Path) -> None:
    text = "# A\n\n## B\n\n### Sub\n\nText.\n\n### Why?\n\nBecause.\n"
    reading = read_string(tmp_path, text)
    assert [p.section for p in reading.passages] == [("B", "Sub"), ("B",)]


def test_everything_in_awkward_markdown_is_read_or_reported(tmp_path: Path) -> None:
    text = (
        "---\ntitle: T\nauthor: me\n---\n\nT\n=\n\n<script>alert(1)</script>\n\n<!-- hidden -->\n\n"
        "> A quoted line\n> goes on.\n\n```\ncode here\n```\n\n| A | B |\n|---|---|\n| one | two |\n\n"
        "---\n\n* Outer\n  * Inner one\n  * Inner two\n\n  More of outer.\n\n[ref]: http://x.org\n\n"
        "Setext\n------\n\nSee [it][ref]. <b>Bold</b>\\\nline.\n\n<div>\nInside <i>tags</i>.\n</div>\n"
    )
    reading = read_string(tmp_path, text)
    check_laws(reading)
    texts = " ".join(p.text for p in reading.passages)
    assert "alert" not in texts
    assert "hidden" not in texts
    for part in (
        "A quoted line goes on.",
        "code here",
        "one | two",
        "Inner two",
        "See it. Bold line.",
        "Inside tags.",
    ):
        assert part in texts
    assert reading.headings == ("Setext",)


# Furniture


def test_running_lines_of_text_pages_are_left_out(tmp_path: Path) -> None:
    words = ("Bend", "Stretch", "Walk", "Rest", "Swim")
    pages = [f"Knee Guide\n\n{w} every day.\n\nPage {n} of 5\n" for n, w in enumerate(words, start=1)]
    reading = read_string(tmp_path, "\f".join(pages), "guide.txt")
    assert " ".join(p.text for p in reading.passages) == " ".join(f"{word} every day." for word in words)
    assert not any("Knee Guide" in p.text or "Page" in p.text for p in reading.passages)
    check_laws(reading)


def test_what_many_pages_of_a_guide_say_is_no_running_line(tmp_path: Path) -> None:
    names = ("Bridge", "Plank", "Clam", "Squat", "Row")
    pages = [
        f"The {n}\n\nHow to do it\n\nLie down for the {n} and breathe.\n\nDo ten of them.\n" for n in names
    ]
    pages.append("The End\n\nThat is all there is.\n")
    reading = read_string(tmp_path, "\f".join(pages), "guide.txt")
    assert sum("Do ten of them." in p.text for p in reading.passages) == 5


def test_a_repeated_title_before_the_last_section_is_no_reason_to_drop_it(tmp_path: Path) -> None:
    text = (
        to_text(KNEES)
        + "\n\nKind to Your Knees\n\nThank you for reading. Ask your nurse in 2026 about more.\n"
    )
    reading = read_string(tmp_path, text, "guide.txt")
    assert any("Ask your nurse" in p.text for p in reading.passages)
    check_laws(reading)


@pytest.mark.parametrize("suffix", ["txt", "md"])
def test_book_blurbs_after_the_guide_are_left_out_and_reported(tmp_path: Path, suffix: str) -> None:
    title = "Kind to Your Knees"
    blurbs = (
        "and research. The second edition is essential reading.\n\n"
        f"{title}: Knees for All A. Writer, 2005 A book.\n\n"
        f"{title}: More Knees B. Writer, 2011 The third edition of this textbook, 2012.\n"
    )
    guide = to_markdown(KNEES) if suffix == "md" else to_text(KNEES)
    last = f"## {title}" if suffix == "md" else title
    reading = read_string(tmp_path, f"{guide}\n\n{last}\n\n{blurbs}", f"guide.{suffix}")
    check_guide(reading, KNEES)
    assert not any("Writer" in p.text for p in reading.passages)
    (told,) = [o for o in reading.omissions if o.reason == "not part of the guide"]
    assert "More Knees" in told.text
    check_laws(reading)


def test_an_item_that_goes_on_over_a_page_has_a_place_on_both(tmp_path: Path) -> None:
    path = tmp_path / "guide.pdf"
    found = False
    for bottom_mm in range(40, 120, 8):
        to_pdf(KNEES, path, PdfStyle(bottom_mm=bottom_mm))
        reading = read_guide(path)
        check_guide(reading, KNEES)
        found = found or any(len(s.spans) == 2 for p in reading.of_kind(PassageKind.ITEM) for s in p.segments)
    assert found


def test_an_empty_page_between_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "guide.pdf"
    to_pdf(SLEEP, path, PdfStyle())
    writer = PdfWriter(PdfReader(path))
    writer.insert_blank_page(index=2)
    writer.write(path)
    reading = read_guide(path)
    check_guide(reading, SLEEP)
    assert len(reading.document.warnings) == 1
