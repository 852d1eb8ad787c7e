"""Renders guide.md, the source of the guide, to guide.pdf.

Takes the few kinds of Markdown that the guide uses (headings, paragraphs, lists) and gives a PDF with a
title page, a contents page and the numbered body. Only the PDF core fonts are used, so nothing depends on
the fonts of a machine, and the same source always gives the same bytes. Reading the PDF back is ingest's.

    python corpus/render.py            write guide.pdf
    python corpus/render.py --check    exit 1 if guide.pdf is not what guide.md gives
"""

import argparse
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import cast

from fpdf import FPDF
from fpdf.enums import MethodReturnValue, XPos, YPos
from markdown_it import MarkdownIt
from markdown_it.token import Token

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "guide.md"
TARGET = HERE / "guide.pdf"

Color = tuple[int, int, int]

ACCENT: Color = (31, 111, 92)
INK: Color = (34, 34, 34)
FAINT: Color = (110, 110, 110)
WHITE: Color = (255, 255, 255)

MARGIN_MM = 24.0
BOTTOM_MM = 24.0
BAND_MM = 78.0  # the coloured band on the title page
INDENT_MM = 6.0  # from a bullet to its text
CONTENTS = "Contents"
FIRST_LABELS = "r"  # i, ii, ... up to the contents page
BODY_LABELS = "D"  # 1, 2, ... from the first section after it

# A date in the file would change with each rendering; this one stands for the text's first version.
CREATED = datetime(2025, 1, 1, tzinfo=UTC)


class BlockKind(StrEnum):
    """The kinds of block in the source."""

    TITLE = "title"
    SECTION = "section"
    QUESTION = "question"
    PARAGRAPH = "paragraph"
    ITEM = "item"


@dataclass(frozen=True, slots=True)
class Block:
    """One heading, paragraph or list item; bold is marked by two asterisks on each side."""

    kind: BlockKind
    text: str


@dataclass(frozen=True, slots=True)
class Style:
    """How a kind of line is set: size in points, the rest in millimetres."""

    size_pt: float
    line_mm: float
    before_mm: float
    after_mm: float
    color: Color = INK
    emphasis: str = ""


STYLES: Mapping[BlockKind, Style] = {
    BlockKind.TITLE: Style(30, 13, 0, 2, WHITE, "B"),
    BlockKind.SECTION: Style(17, 8, 8, 3, ACCENT, "B"),
    BlockKind.QUESTION: Style(12, 6, 3.5, 1, INK, "B"),
    BlockKind.PARAGRAPH: Style(11.5, 6, 0, 3.2),
    BlockKind.ITEM: Style(11.5, 6, 0, 2.4),
}
SUBTITLE = Style(13.5, 7, 0, 0, WHITE)
ENTRY = Style(11.5, 9, 0, 0)
RUNNING = Style(9, 5, 0, 0, FAINT)

HEADING_KINDS = {"h1": BlockKind.TITLE, "h2": BlockKind.SECTION, "h3": BlockKind.QUESTION}


def read_blocks(markdown: str) -> list[Block]:
    """
    Read the source into blocks, in order.

    :param markdown: the text of guide.md
    :return: the blocks, soft line breaks joined by a space
    """
    blocks: list[Block] = []
    kind = BlockKind.PARAGRAPH
    list_depth = 0
    for token in MarkdownIt().parse(markdown):
        if token.type == "heading_open":
            kind = HEADING_KINDS[token.tag]
        elif token.type == "bullet_list_open":
            list_depth += 1
        elif token.type == "bullet_list_close":
            list_depth -= 1
        elif token.type == "paragraph_open":
            kind = BlockKind.ITEM if list_depth else BlockKind.PARAGRAPH
        elif token.type == "inline":
            blocks.append(Block(kind, _inline_text(token.children or [])))
    return blocks


def _inline_text(tokens: Iterable[Token]) -> str:
    """
    Join the parts of a line, keeping bold and dropping the targets of links.

    :param tokens: the children of an inline token
    :return: the text, bold between double asterisks
    """
    marks = {"softbreak": " ", "strong_open": "**", "strong_close": "**"}
    return "".join(marks.get(token.type, token.content) for token in tokens)


class GuidePdf(FPDF):
    """The pages of the guide: a running title above, the page label below."""

    def __init__(self, title: str) -> None:
        super().__init__(format="A4")
        self.running_title = title
        # cp1252 has the curly apostrophe, the dash and the bullet; the default, Latin-1, has not.
        self.core_fonts_encoding = "cp1252"
        # Compressed streams differ between zlib builds; plain ones are the same everywhere.
        self.set_compression(False)
        self.set_creation_date(CREATED)
        self.set_producer("corpus/render.py")
        self.set_title(title)
        self.set_lang("en-US")
        self.set_margins(MARGIN_MM, MARGIN_MM, MARGIN_MM)
        self.set_auto_page_break(True, BOTTOM_MM)

    def header(self) -> None:
        """Set the running title, except on the title page."""
        if self.page == 1:
            return
        self.use(RUNNING)
        self.set_y(12)
        self.cell(0, RUNNING.line_mm, self.running_title)
        self.set_draw_color(*ACCENT)
        self.line(self.l_margin, 18, self.w - self.r_margin, 18)
        self.set_y(MARGIN_MM)

    def footer(self) -> None:
        """Set the page label, as roman or arabic number."""
        self.use(RUNNING)
        self.set_y(-15)
        self.cell(0, RUNNING.line_mm, self.get_page_label(), align="C")

    def use(self, style: Style) -> None:
        """
        Take the font and colour of a style.

        :param style: the style of the lines to come
        """
        self.set_font("Helvetica", style.emphasis, style.size_pt)
        self.set_text_color(*style.color)

    def height_of(self, block: Block) -> float:
        """
        Measure a block without setting it.

        :param block: the block
        :return: its height in millimetres, with the space before and after
        """
        style = STYLES[block.kind]
        self.use(style)
        indent = INDENT_MM if block.kind is BlockKind.ITEM else 0.0
        height = self.multi_cell(
            self.epw - indent,
            style.line_mm,
            block.text,
            align="L",
            markdown=True,
            dry_run=True,
            output=MethodReturnValue.HEIGHT,
        )
        return style.before_mm + cast("float", height) + style.after_mm

    def write_block(self, block: Block) -> None:
        """
        Set a block at the current place.

        :param block: the block
        """
        style = STYLES[block.kind]
        self.use(style)
        if self.get_y() > MARGIN_MM:
            self.ln(style.before_mm)
        if block.kind is BlockKind.ITEM:
            self.set_text_color(*ACCENT)
            self.cell(INDENT_MM, style.line_mm, "•")
            self.set_text_color(*style.color)
        self.multi_cell(
            0, style.line_mm, block.text, align="L", markdown=True, new_x=XPos.LMARGIN, new_y=YPos.NEXT
        )
        self.ln(style.after_mm)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a section begins: the page's number in the file, from 1, and its printed label."""

    page: int
    label: str


def set_pages(blocks: list[Block], places: Mapping[str, Place]) -> tuple[GuidePdf, dict[str, Place]]:
    """
    Set all pages, with the contents page made from places.

    :param blocks: the guide; first its title and subtitle
    :param places: section heading to place, as an earlier call returned them; empty at first
    :return: the PDF, and the place of each section in it
    """
    pdf = GuidePdf(blocks[0].text)
    found: dict[str, Place] = {}
    pdf.add_page(label_style=FIRST_LABELS, label_start=1)
    _write_band(pdf, blocks[0].text, blocks[1].text)
    in_contents = False
    for position, block in enumerate(blocks[2:], start=2):
        if block.kind is BlockKind.SECTION:
            if block.text == CONTENTS:
                pdf.add_page()
            elif in_contents:
                pdf.add_page(label_style=BODY_LABELS, label_start=1)
            in_contents = block.text == CONTENTS
        if in_contents and block.kind is BlockKind.ITEM:
            _write_entry(pdf, block.text, places.get(block.text, Place(1, "")))
            continue
        if pdf.will_page_break(_height_together(pdf, blocks, position)):
            pdf.add_page()
        if block.kind is BlockKind.SECTION and not in_contents:
            found[block.text] = Place(pdf.page, pdf.get_page_label())
        if block.kind in (BlockKind.SECTION, BlockKind.QUESTION):
            pdf.use(STYLES[block.kind])
            pdf.start_section(block.text, level=int(block.kind is BlockKind.QUESTION))
        pdf.write_block(block)
    return pdf, found


def _height_together(pdf: GuidePdf, blocks: list[Block], position: int) -> float:
    """
    Measure what must stand on one page with a block: a heading or a lead sentence takes the next block along.

    :param pdf: the pages so far
    :param blocks: the guide
    :param position: the row of the block in it
    :return: the height in millimetres
    """
    block = blocks[position]
    height = pdf.height_of(block)
    leads = block.kind in (BlockKind.SECTION, BlockKind.QUESTION) or block.text.endswith(":")
    if leads and position + 1 < len(blocks):
        height += _height_together(pdf, blocks, position + 1)
    return height


def _write_band(pdf: GuidePdf, title: str, subtitle: str) -> None:
    """
    Set the coloured band with the title on it.

    :param pdf: the pages, on the title page
    :param title: the guide's title
    :param subtitle: the line under it
    """
    pdf.set_fill_color(*ACCENT)
    pdf.rect(0, 0, pdf.w, BAND_MM, style="F")
    pdf.set_y(BAND_MM - 36)
    pdf.write_block(Block(BlockKind.TITLE, title))
    pdf.use(SUBTITLE)
    pdf.cell(0, SUBTITLE.line_mm, subtitle)
    pdf.set_y(BAND_MM + 8)


def _write_entry(pdf: GuidePdf, heading: str, place: Place) -> None:
    """
    Set a line of the contents page: heading, dots, page label.

    :param pdf: the pages, on the contents page
    :param heading: the section's heading
    :param place: where it begins
    """
    pdf.use(ENTRY)
    link = pdf.add_link(page=place.page)
    label_mm = 12.0
    room_mm = pdf.epw - label_mm - pdf.get_string_width(heading + " ")
    dots = "." * int(room_mm / pdf.get_string_width("."))
    pdf.cell(pdf.epw - label_mm, ENTRY.line_mm, f"{heading} {dots}", link=link)
    pdf.cell(label_mm, ENTRY.line_mm, place.label, align="R", link=link, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def render(markdown: str) -> bytes:
    """
    Render the guide.

    :param markdown: the text of guide.md
    :return: the bytes of the PDF
    """
    blocks = read_blocks(markdown)
    _, places = set_pages(blocks, {})
    pdf, _ = set_pages(blocks, places)
    return bytes(pdf.output())


def main(arguments: list[str] | None = None) -> int:
    """
    Write guide.pdf, or check it.

    :param arguments: the command line; by default the process's own
    :return: the exit code
    """
    parser = argparse.ArgumentParser(description="Render guide.md to guide.pdf.")
    parser.add_argument("--check", action="store_true", help="only say whether guide.pdf is up to date")
    options = parser.parse_args(arguments)
    content = render(SOURCE.read_text(encoding="utf-8"))
    if not options.check:
        TARGET.write_bytes(content)
        print(f"wrote {TARGET} ({len(content)} bytes)")  # noqa: T201
        return 0
    if TARGET.exists() and TARGET.read_bytes() == content:
        print(f"{TARGET} is what {SOURCE.name} gives")  # noqa: T201
        return 0
    print(f"{TARGET} is not what {SOURCE.name} gives: run python corpus/render.py")  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main())
