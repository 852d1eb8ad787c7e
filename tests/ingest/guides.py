"""Small guides made up for the tests, and the ways in which a person may write them down."""

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fpdf import FPDF

from ingest.clean import match_key, trace
from ingest.datatypes import Document, Omission, Passage, PassageKind, SegmentRole, Span
from ingest.passages import split_passages
from ingest.readers import read_document
from ingest.structure import find_blocks

MAX_WORDS = 150
LIST_SIZES = [5, 4, 4, 4, 4, 4, 6]


def count_words(text: str) -> int:
    """Stand in for the encoder's counter."""
    return len(text.split())


@dataclass(frozen=True)
class Section:
    """A section: paragraphs, then perhaps a list with its items, a closing sentence, questions."""

    heading: str
    prose: tuple[str, ...] = ()
    lead: str = ""
    items: tuple[tuple[str, str], ...] = ()
    closing: str = ""
    questions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Guide:
    """A guide of a few sections."""

    title: str
    sections: tuple[Section, ...] = field(default=())


KNEES = Guide(
    "Kind to Your Knees",
    (
        Section(
            "Why Knees Complain",
            (
                "The knee is a hinge that carries most of your weight. Cartilage covers the ends of the "
                "bones and lets them glide. It has no blood vessels of its own, so it lives on "
                "movement: each bend "
                "presses fluid through it like water through a sponge. Long rest starves it.",
                "Pain after an unusual day is common and settles by itself. It tells you that the load "
                "grew faster than the joint could follow. Cut the load by half, keep moving, and "
                "build it up again "
                "by about 10% a week, e.g. from 20 to 22 minutes of walking.",
            ),
        ),
        Section(
            "Three Exercises",
            (),
            "Do these three exercises every other day:",
            (
                (
                    "Chair Rise",
                    "Sit on a firm chair with your feet under your knees. Stand up without using your hands, "
                    "then sit down slowly over 3 seconds. Do 8 rises. Put a cushion on the seat if "
                    "it is hard.",
                ),
                (
                    "Heel-to-Seat Slide",
                    "Lie on your back and slide one heel towards your seat as far as it goes. Wait for 5 "
                    "seconds and slide it back. Do 10 slides with each leg.",
                ),
                (
                    "Step-Up",
                    "Face the lowest stair and hold the rail. Step up with the better leg first and "
                    "down with "
                    "the sore one first. Stop if the knee gives way. Do 6 steps.",
                ),
            ),
            "Rest for a day in between.",
        ),
        Section(
            "When to See Somebody",
            (
                "See a doctor the same day if the knee is hot, red and swollen and you have a fever. Go at "
                "once if you cannot put weight on the leg after a fall. A knee that locks or gives way "
                "should be looked at within two weeks.",
            ),
        ),
        Section(
            "Common Questions",
            questions=(
                (
                    "Does running wear out the knees?",
                    "No. People who run for pleasure have less arthritis of the knee than people who sit. "
                    "Running on a knee that is already swollen is another matter.",
                ),
                (
                    "Should I wear a brace, and if so, for how many hours a day?",
                    "A sleeve of elastic fabric keeps the joint warm and may ease pain. Wear it for "
                    "walks and "
                    "take it off at rest. It does not replace exercise.",
                ),
            ),
        ),
    ),
)

SLEEP = Guide(
    "Sleeping Through the Night",
    (
        Section(
            "How Sleep Works",
            (
                "Two clocks decide when you sleep. One counts the hours since you woke, and the pressure to "
                "sleep grows with them. The other follows daylight and sets the time of day.",
            ),
        ),
        Section(
            "Four Habits",
            ("Habits work slowly, so keep each for two weeks before you judge it.",),
            "Four daytime habits make the night easier:",
            (
                (
                    "Fixed Rising Time",
                    "Get up at the same time on all seven days. Start with a time you can keep.",
                ),
                (
                    "Morning Light",
                    "Go outside within an hour of rising, for 20 minutes. Cloudy days count too.",
                ),
                ("Caffeine Limit", "Have your last coffee 8 hours before bed. Tea and cola count as well."),
                ("Worry Hour", "Write down what troubles you at 6 p.m. Add one next step to each line."),
            ),
        ),
        Section(
            "Questions and Answers",
            questions=(
                (
                    "Is it bad to nap?",
                    "A nap of 20 minutes before 3 p.m. does no harm. A longer one steals from the night.",
                ),
                ("How long until it works?", "Expect two to four weeks. The first nights may be worse."),
            ),
        ),
    ),
)


ItemStyle = Callable[[str, str], list[str]]
QuestionStyle = Callable[[str, str], list[str]]

ITEM_STYLES: dict[str, ItemStyle] = {
    "heading": lambda title, text: [f"### {title}", "", text, ""],
    "bold colon": lambda title, text: [f"**{title}:** {text}", ""],
    "bold": lambda title, text: [f"**{title}** {text}", ""],
    "bold full stop": lambda title, text: [f"**{title}.** {text}", ""],
    "bold line": lambda title, text: [f"**{title}**", "", text, ""],
    "bold line break": lambda title, text: [f"**{title}**", text, ""],
    "plain": lambda title, text: [f"{title}: {text}", ""],
}
BULLET_STYLES: dict[str, ItemStyle] = {
    "bullet, bold": lambda title, text: [f"- **{title}**: {text}"],
    "bullet, colon in bold": lambda title, text: [f"* **{title}:** {text}"],
    "bullet, plain": lambda title, text: [f"- {title}: {text}"],
    "number, bold": lambda title, text: [f"1. **{title}.** {text}"],
}
QUESTION_STYLES: dict[str, QuestionStyle] = {
    "heading": lambda q, a: [f"### {q}", "", a, ""],
    "bold": lambda q, a: [f"**{q}**", "", a, ""],
    "bold run-in": lambda q, a: [f"**{q}** {a}", ""],
    "bold line break": lambda q, a: [f"**{q}**", a, ""],
    "Q/A lines": lambda q, a: [f"Q: {q}", f"A: {a}", ""],
    "Q/A paragraphs": lambda q, a: [f"Q: {q}", "", f"A: {a}", ""],
    "bold Q/A marks": lambda q, a: [f"**Q:** {q}", "", f"**A:** {a}", ""],
    "bold Q line": lambda q, a: [f"**Q: {q}**", "", f"A: {a}", ""],
    "bullet": lambda q, a: [f"- **{q}** {a}"],
}


def to_markdown(
    guide: Guide,
    item_style: str = "heading",
    question_style: str = "heading",
    width: int = 0,
    contents: bool = False,
) -> str:
    """Write a guide as Markdown in one of the styles."""

    def wrap(text: str) -> str:
        return textwrap.fill(text, width, break_on_hyphens=False, break_long_words=False) if width else text

    lines = [f"# {guide.title}", ""]
    if contents:
        lines += ["## Contents", "", *(f"- [{s.heading}](#x)" for s in guide.sections), ""]
    for section in guide.sections:
        lines += [f"## {section.heading}", ""]
        for paragraph in section.prose:
            lines += [wrap(paragraph), ""]
        lines += _markdown_list(section, item_style, wrap)
        for question, answer in section.questions:
            lines += QUESTION_STYLES[question_style](question, wrap(answer))
        lines.append("")
    return "\n".join(lines)


def _markdown_list(section: Section, item_style: str, wrap: Callable[[str], str]) -> Iterator[str]:
    if not section.items:
        return
    yield from (wrap(section.lead), "")
    if item_style in BULLET_STYLES:
        for title, text in section.items:
            yield from BULLET_STYLES[item_style](title, text)
    else:
        yield from (f"- {title.capitalize()}" for title, _ in section.items)
    yield ""
    if section.closing:
        yield from (wrap(section.closing), "")
    if item_style in ITEM_STYLES:
        for title, text in section.items:
            yield from ITEM_STYLES[item_style](title, wrap(text))


def to_text(guide: Guide, width: int = 76, contents: bool = True) -> str:
    """Write a guide as plain text, structure shown by shape alone."""

    def wrap(text: str) -> str:
        return textwrap.fill(text, width, break_on_hyphens=False, break_long_words=False)

    lines = [guide.title, ""]
    if contents:
        lines += ["Contents", "", *(section.heading for section in guide.sections), ""]
    for section in guide.sections:
        lines += [section.heading, ""]
        parts = [*section.prose, *([section.lead] if section.items else [])]
        parts += [f"{title}: {text}" for title, text in section.items]
        parts += [section.closing] if section.closing else []
        for part in parts:
            lines += [wrap(part), ""]
        for question, answer in section.questions:
            lines += [wrap(f"Q: {question}"), wrap(f"A: {answer}"), ""]
    return "\n".join(lines)


@dataclass(frozen=True)
class PdfStyle:
    """How a guide is set."""

    has_contrast: bool = True
    item: str = "bullet"  # bullet, run-in or heading
    has_running_lines: bool = True
    has_cover: bool = True
    bottom_mm: float = 25


class _Pdf(FPDF):
    def __init__(self, guide: Guide, style: PdfStyle) -> None:
        super().__init__(format="A5")
        self.core_fonts_encoding = "windows-1252"
        self.guide, self.style = guide, style
        self.set_margins(20, 18)
        self.set_auto_page_break(True, style.bottom_mm)

    def header(self) -> None:
        if self.style.has_running_lines and self.page_no() > 1:
            self.set_font("Helvetica", "", 8)
            self.cell(0, 6, self.guide.title, align="R", new_x="LMARGIN", new_y="NEXT")
            self.ln(4)

    def footer(self) -> None:
        if self.style.has_running_lines:
            self.set_y(-15)
            self.set_font("Helvetica", "", 8)
            self.cell(0, 6, f"Page {self.page_no()} of 9", align="C")

    def write_text(self, text: str, size: float = 11, bold: bool = False, indent: float = 0) -> None:
        plain = not self.style.has_contrast
        self.set_font("Times", "B" if bold and not plain else "", 11 if plain else size)
        self.set_x(20 + indent)
        self.multi_cell(
            0,
            5.5,
            text.replace("**", "") if plain else text,
            markdown=not plain,
            new_x="LMARGIN",
            new_y="NEXT",
        )
        self.ln(3)


def to_pdf(guide: Guide, path: Path, style: PdfStyle) -> None:
    """Set a guide as PDF; without contrast, one font in one size."""
    pdf = _Pdf(guide, style)
    pdf.add_page()
    pdf.write_text(guide.title, 22, bold=True)
    if style.has_cover:
        pdf.write_text("For patients", 13)
        pdf.add_page()
        pdf.write_text("Contents", 15, bold=True)
        for number, section in enumerate(guide.sections, start=3):
            pdf.write_text(f"{section.heading} {'.' * 20} {number}")
        pdf.add_page()
    for section in guide.sections:
        pdf.write_text(section.heading, 15, bold=True)
        for paragraph in section.prose:
            pdf.write_text(paragraph)
        if section.items:
            pdf.write_text(section.lead)
        for title, text in section.items:
            _set_item(pdf, title, text, style)
        if section.closing:
            pdf.write_text(section.closing)
        for question, answer in section.questions:
            pdf.write_text(question if style.has_contrast else f"Q: {question}", 11, bold=True)
            pdf.write_text(answer if style.has_contrast else f"A: {answer}")
    pdf.output(str(path))


def _set_item(pdf: _Pdf, title: str, text: str, style: PdfStyle) -> None:
    if style.item == "bullet":
        pdf.write_text(f"\u2022 **{title}:** {text}", indent=4)
    elif style.item == "run-in":
        pdf.write_text(f"**{title}.** {text}" if style.has_contrast else f"{title}: {text}")
    else:
        pdf.write_text(title, 12.5, bold=True)
        pdf.write_text(text)


# Reading a file all the way, and the laws that hold for every file


@dataclass(frozen=True)
class Reading:
    """A document with what became of it."""

    document: Document
    passages: tuple[Passage, ...]
    omissions: tuple[Omission, ...]
    headings: tuple[str, ...]
    heading_spans: tuple[Span, ...]

    def of_kind(self, kind: PassageKind) -> list[Passage]:
        """Give the passages of one kind."""
        return [passage for passage in self.passages if passage.kind is kind]


def read_guide(path: Path, max_tokens: int = MAX_WORDS) -> Reading:
    """Read a file, find its structure, split it into passages."""
    document = read_document(path, path.name)
    blocks, omissions = find_blocks(document)
    passages = split_passages(document, blocks, count_words, max_tokens)
    heads = [block for block in blocks if block.kind == "heading"]
    return Reading(
        document,
        passages,
        omissions,
        tuple(block.text for block in heads if block.text),
        tuple(span for block in heads for span in block.spans),
    )


def read_string(folder: Path, text: str, name: str = "guide.md", max_tokens: int = MAX_WORDS) -> Reading:
    """Write a text to a file and read it."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_guide(path, max_tokens)


def raw_text(document: Document, spans: Sequence[Span]) -> str:
    """Give what stands in the pages at the given places."""
    return "\n".join(document.pages[span.page_index].text[span.start : span.end] for span in spans)


def check_laws(reading: Reading, max_tokens: int = MAX_WORDS) -> None:
    """Check what must hold for every document."""
    check_places(reading)
    check_sizes(reading, max_tokens)
    check_links(reading)
    check_nothing_is_lost(reading)


def check_places(reading: Reading) -> None:
    """Check that every segment and title is found again in its page."""
    for passage in reading.passages:
        assert passage.segments
        for segment in passage.segments:
            assert match_key(segment.text) == match_key(raw_text(reading.document, segment.spans)), segment
        title = match_key(raw_text(reading.document, passage.title_spans))
        assert match_key(passage.title) in title
        first = (*passage.title_spans, *passage.segments[0].spans)[0]
        assert passage.page_index == first.page_index
        assert passage.page_label == reading.document.pages[first.page_index].label


def check_sizes(reading: Reading, max_tokens: int) -> None:
    """Check that the encoder reads every passage whole."""
    for passage in reading.passages:
        whole = " ".join([*passage.section, passage.title, *(segment.text for segment in passage.segments)])
        assert count_words(whole) <= max_tokens, passage


def check_links(reading: Reading) -> None:
    """Check that ids are unique and that lists and items name each other."""
    by_id = {passage.id: passage for passage in reading.passages}
    assert len(by_id) == len(reading.passages)
    for passage in reading.passages:
        for item_id in passage.item_ids:
            assert by_id[item_id].list_id == passage.id
        if passage.list_id:
            assert passage.id in by_id[passage.list_id].item_ids


def check_nothing_is_lost(reading: Reading) -> None:
    """Check that every printed line is in a passage, a heading or an omission."""
    spans = [*reading.heading_spans]
    for passage in reading.passages:
        spans += passage.title_spans
        for segment in passage.segments:
            spans += segment.spans
    omitted = {
        (omission.page_index, line.strip())
        for omission in reading.omissions
        for line in omission.text.splitlines()
    }
    for line in reading.document.lines:
        place = line.span
        if not trace(reading.document.pages, [place], has_markup=reading.document.has_markup).text:
            continue  # a line of tags alone
        is_read = any(
            span.page_index == place.page_index and span.start < place.end and place.start < span.end
            for span in spans
        )
        is_told = any(page == place.page_index and text and text in line.text for page, text in omitted)
        assert is_read or is_told, line


def check_guide(reading: Reading, guide: Guide) -> None:
    """Check that every part of a guide became the right kind of passage, whole."""
    for section in guide.sections:
        mine = [passage for passage in reading.passages if passage.section == (section.heading,)]
        for paragraph in (*section.prose, *([section.closing] if section.closing else [])):
            holders = [p for p in mine if p.kind is PassageKind.PROSE and paragraph in p.text]
            assert len(holders) == 1, (section.heading, paragraph)
        found = [(p.title, p.text) for p in mine if p.kind is PassageKind.ITEM]
        assert found == list(section.items)
        assert [(p.title, p.text) for p in mine if p.kind is PassageKind.FAQ] == list(section.questions)
        check_list(mine, section)


def check_list(mine: Sequence[Passage], section: Section) -> None:
    """Check that the list of a section has its lead and names its items."""
    lists = [passage for passage in mine if passage.kind is PassageKind.LIST]
    if not section.items:
        assert not lists
        return
    (found,) = lists
    assert [s.text for s in found.segments if s.role is SegmentRole.LEAD] == [section.lead]
    names = [s.text.casefold() for s in found.segments if s.role is SegmentRole.ITEM]
    assert names == [title.casefold() for title, _ in section.items]
    assert found.item_ids == tuple(p.id for p in mine if p.kind is PassageKind.ITEM)
