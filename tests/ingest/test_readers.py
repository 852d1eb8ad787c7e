import re
import time
from pathlib import Path

import pytest
from fpdf import FPDF
from PIL import Image
from pypdf import PageObject, PdfReader, PdfWriter
from pypdf.constants import PageLabelStyle
from pypdf.errors import DependencyError, LimitReachedError
from pypdf.generic import DecodedStreamObject, NameObject, NumberObject

from ingest.datatypes import ReadingLimits
from ingest.errors import DocumentError
from ingest.readers import SUPPORTED_SUFFIXES, read_document
from tests.ingest.guides import KNEES, PdfStyle, to_pdf


def _write(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def _pdf(folder: Path, *pages: str) -> Path:
    pdf = FPDF()
    for text in pages:
        pdf.add_page()
        if text:
            pdf.set_font("Helvetica", size=12)
            pdf.multi_cell(0, 6, text)
    path = folder / "made.pdf"
    pdf.output(str(path))
    return path


# Text


@pytest.mark.parametrize(
    "data",
    [
        "Café for two\n".encode(),
        b"\xef\xbb\xbf" + "Café for two\n".encode(),
        "Café for two\n".encode("cp1252"),
        *(
            "Café for two\n".encode(encoding)
            for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
        ),
    ],
)
def test_text_is_decoded_whatever_its_encoding(tmp_path: Path, data: bytes) -> None:
    document = read_document(_write(tmp_path, "a.txt", data), "a.txt")
    assert document.pages[0].text == "Café for two\n"


def test_utf_32_is_known_by_its_zeros_in_any_script(tmp_path: Path) -> None:
    for encoding in ("utf-32-le", "utf-32-be"):
        data = "Согните колено, медленно \U0001f642\n".encode(encoding)
        text = read_document(_write(tmp_path, "a.txt", data), "a.txt").pages[0].text
        assert text == "Согните колено, медленно \U0001f642\n"


@pytest.mark.parametrize("name", ["a.txt", "a.md"])
@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Сгибайте колено медленно.", "cp1251"),
        ("Café guide – the knee’s bend.", "mac_roman"),
        ("Übung für das Knie.", "cp1252"),
    ],
)
def test_text_whose_encoding_is_guessed_is_read_with_a_notice(
    tmp_path: Path, text: str, encoding: str, name: str
) -> None:
    (notice,) = read_document(_write(tmp_path, name, text.encode(encoding)), name).warnings
    assert notice.startswith(f"{name}: it is not in UTF-8 and was read as Windows-1252; if its letters look")
    assert read_document(_write(tmp_path, name, text.encode()), name).warnings == ()


def test_text_with_letters_that_no_guess_knows_is_told_to_be_saved_as_utf_8(tmp_path: Path) -> None:
    data = "膝をゆっくり曲げます。".encode("shift_jis")
    with pytest.raises(DocumentError, match=r"its encoding is not known: save it as plain text in UTF-8"):
        read_document(_write(tmp_path, "a.txt", data), "a.txt")


def test_lines_stand_where_their_spans_say(tmp_path: Path) -> None:
    path = _write(tmp_path, "a.txt", b"One\r\n\r\n   two words \r\n\x0c\r\nthree\r\n")
    document = read_document(path, "sub/a.txt")
    assert document.source == "sub/a.txt"
    assert [line.text for line in document.lines] == ["One", "two words", "three"]
    assert [line.span.page_index for line in document.lines] == [0, 0, 1]
    for line in document.lines:
        span = line.span
        assert document.pages[span.page_index].text[span.start : span.end] == line.text


def test_form_feeds_are_page_breaks(tmp_path: Path) -> None:
    document = read_document(_write(tmp_path, "a.txt", b"One.\n\x0cTwo.\n\x0c\n\x0cFour.\n\x0c"), "a.txt")
    assert [page.label for page in document.pages] == ["1", "2", "3", "4"]
    assert document.pages[3].text.strip() == "Four."
    assert document.warnings == ("a.txt: page 3 holds no text (empty or scanned).",)


def test_blank_lines_within_a_sentence_show_that_the_text_was_paged(tmp_path: Path) -> None:
    text = "Title\n\nThis sentence goes\n\n\n\non here.\n\n\n\nAnother page.\n"
    document = read_document(_write(tmp_path, "a.txt", text.encode()), "a.txt")
    assert [page.text.strip() for page in document.pages] == [
        "Title\n\nThis sentence goes",
        "on here.",
        "Another page.",
    ]


def test_blank_lines_between_sentences_are_only_space(tmp_path: Path) -> None:
    text = "Title\n\nThis is a sentence.\n\n\n\nAnother one.\n"
    assert len(read_document(_write(tmp_path, "a.txt", text.encode()), "a.txt").pages) == 1


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.txt", b"", "empty"),
        ("a.md", b" \n\n", "empty"),
        ("a.pdf", b"", "empty"),
        ("a.txt", b"\x00\x01binary\x00", "not a text file"),
        ("a.txt", bytes(range(256)) * 4, "not a text file"),
        ("a.txt", b"\x01\x02\x03\x04words", "not a text file"),
        ("a.txt", b"--- * --- ***", "no text"),
        ("a.pdf", b"this is no pdf", "broken"),
        ("a.pdf", b"%PDF-1.7\n%%EOF", "broken"),
        ("a.xls", b"words", "kind"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_one_sentence(
    tmp_path: Path, name: str, data: bytes, told: str
) -> None:
    with pytest.raises(DocumentError, match=told) as caught:
        read_document(_write(tmp_path, name, data), name)
    message = str(caught.value)
    assert message.startswith(name)
    assert message.endswith(".")
    assert "\n" not in message


def test_a_missing_file_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot be opened"):
        read_document(tmp_path / "gone.txt", "gone.txt")


def test_suffixes_are_those_of_the_readers() -> None:
    assert set(SUPPORTED_SUFFIXES) == {
        ".pdf", ".txt", ".text", ".md", ".markdown", ".html", ".htm", ".xhtml", ".docx",
    }  # fmt: skip


def test_a_title_takes_its_best_written_form(tmp_path: Path) -> None:
    text = "care of the knee\ncare of the knee is a long subject that fills a line.\n\nCare of the Knee\n"
    assert read_document(_write(tmp_path, "a.txt", text.encode()), "a.txt").title == "Care of the Knee"


def test_markdown_title_comes_from_front_matter_or_the_only_first_level_heading(tmp_path: Path) -> None:
    front = b'---\ntitle: "Front"\n---\n# Head\n\nText.\n'
    assert read_document(_write(tmp_path, "a.md", front), "a.md").title == "Front"
    assert read_document(_write(tmp_path, "b.md", b"# Head\n\n## Part\n"), "b.md").title == "Head"
    assert read_document(_write(tmp_path, "c.md", b"# One\n\n# Two\n"), "c.md").title == ""
    assert read_document(_write(tmp_path, "d.md", b"Head\n====\n\nText.\n"), "d.md").title == "Head"
    assert read_document(_write(tmp_path, "e.md", b"# Head ##\n\n```\n# no\n```\n"), "e.md").title == "Head"


# PDF


def test_pdf_text_has_lines_with_size_weight_and_place(tmp_path: Path) -> None:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", "B", 20)
    pdf.cell(0, 10, "Big Heading", new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("Helvetica", "", 11)
    pdf.multi_cell(0, 6, "**Term:** plain words after it", markdown=True, new_x="LMARGIN", new_y="NEXT")
    pdf.multi_cell(0, 6, "Only plain words")
    pdf.output(str(tmp_path / "a.pdf"))
    document = read_document(tmp_path / "a.pdf", "a.pdf")
    assert document.has_typography
    assert document.title == "Big Heading"
    assert document.pages[0].text == "Big Heading\nTerm: plain words after it\nOnly plain words"
    heading, term, plain = document.lines
    assert (heading.size, heading.bold_until) == (20.0, 11)
    assert (term.size, term.text[: term.bold_until]) == (11.0, "Term:")
    assert plain.bold_until == 0
    assert 0 < heading.y < term.y < plain.y
    for line in document.lines:
        assert document.pages[0].text[line.span.start : line.span.end] == line.text


def test_words_are_neither_glued_nor_split_in_justified_text(tmp_path: Path) -> None:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Times", "", 11)
    words = "Gently flatten your lower back against the floor by tightening your abdominal muscles " * 4
    pdf.multi_cell(90, 6, words, align="J")
    pdf.output(str(tmp_path / "a.pdf"))
    document = read_document(tmp_path / "a.pdf", "a.pdf")
    assert document.pages[0].text.split() == words.split()


def test_page_labels_are_kept_as_printed(tmp_path: Path) -> None:
    writer = PdfWriter(PdfReader(_pdf(tmp_path, "Cover", "Preface", "Body")))
    writer.set_page_label(0, 1, style=PageLabelStyle.LOWERCASE_ROMAN)
    writer.set_page_label(2, 2, style=PageLabelStyle.DECIMAL, start=1)
    writer.write(tmp_path / "labels.pdf")
    document = read_document(tmp_path / "labels.pdf", "labels.pdf")
    assert [page.label for page in document.pages] == ["i", "ii", "1"]


def test_an_empty_page_stays_and_is_named(tmp_path: Path) -> None:
    document = read_document(_pdf(tmp_path, "One.", "", "Three."), "made.pdf")
    assert [page.text for page in document.pages] == ["One.", "", "Three."]
    assert document.warnings == ("made.pdf: page 2 holds no text (empty or scanned).",)


def test_a_pdf_of_blank_pages_is_refused_without_advice_on_text_recognition(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"made\.pdf holds no text: put the guide's text in it") as caught:
        read_document(_pdf(tmp_path, "", ""), "made.pdf")
    assert "OCR" not in str(caught.value)


def test_a_pdf_of_pictures_needs_text_recognition(tmp_path: Path) -> None:
    pdf = FPDF()
    pdf.add_page()
    pdf.add_page()
    pdf.image(Image.new("L", (8, 8)), w=100)
    pdf.output(str(tmp_path / "scan.pdf"))
    with pytest.raises(DocumentError, match=r"only pictures of pages: run text recognition \(OCR\)"):
        read_document(tmp_path / "scan.pdf", "scan.pdf")


def test_a_locked_pdf_is_refused(tmp_path: Path) -> None:
    writer = PdfWriter(PdfReader(_pdf(tmp_path, "Secret")))
    writer.encrypt("password", algorithm="RC4-128")
    writer.write(tmp_path / "locked.pdf")
    with pytest.raises(DocumentError, match="locked with a password"):
        read_document(tmp_path / "locked.pdf", "locked.pdf")


SESAME = "sesame"


@pytest.mark.parametrize("algorithm", ["RC4-40", "RC4-128", "AES-128", "AES-256"])
@pytest.mark.parametrize("word", ["", SESAME])
def test_a_locked_pdf_opens_with_an_empty_or_the_given_password(
    tmp_path: Path, algorithm: str, word: str
) -> None:
    writer = PdfWriter(PdfReader(_pdf(tmp_path, "Secret words")))
    writer.encrypt(word, owner_password=f"not {word}", algorithm=algorithm)
    writer.write(tmp_path / "locked.pdf")
    limits = ReadingLimits(password=SESAME)
    assert read_document(tmp_path / "locked.pdf", "locked.pdf", limits).pages[0].text == "Secret words"
    if word:
        with pytest.raises(DocumentError, match="give it as password in guide"):
            read_document(tmp_path / "locked.pdf", "locked.pdf", ReadingLimits(password=f"not {word}s"))


def test_aes_without_its_package_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = PdfWriter(PdfReader(_pdf(tmp_path, "Secret words")))
    writer.encrypt("", algorithm="AES-128")
    writer.write(tmp_path / "locked.pdf")

    def fail(self: PdfReader, password: str) -> None:
        raise DependencyError("cryptography>=3.1 is required for AES algorithm")

    monkeypatch.setattr(PdfReader, "decrypt", fail)
    with pytest.raises(DocumentError, match=r'locked with AES, .*constraints.txt -e "\.\[formats'):
        read_document(tmp_path / "locked.pdf", "locked.pdf")


def test_a_page_that_cannot_be_read_is_named_and_the_others_are_kept(tmp_path: Path) -> None:
    writer = PdfWriter(PdfReader(_pdf(tmp_path, "First page", "Second page", "Third page")))
    writer.pages[1][NameObject("/Contents")] = NumberObject(7)
    writer.pages[1][NameObject("/MediaBox")] = NumberObject(7)
    writer.write(tmp_path / "odd.pdf")
    document = read_document(tmp_path / "odd.pdf", "odd.pdf")
    assert [page.text for page in document.pages] == ["First page", "", "Third page"]
    (warning,) = document.warnings
    assert warning.startswith("odd.pdf: page 2 cannot be read (")
    assert warning.endswith("; its text is missing.")


def test_a_page_with_an_unknown_filter_is_named_and_the_others_are_kept(tmp_path: Path) -> None:
    writer = PdfWriter(PdfReader(_pdf(tmp_path, "First page", "Second page")))
    writer.pages[1]["/Contents"].get_object()[NameObject("/Filter")] = NameObject("/FooDecode")  # type: ignore[index]
    writer.write(tmp_path / "odd.pdf")
    document = read_document(tmp_path / "odd.pdf", "odd.pdf")
    assert [page.text for page in document.pages] == ["First page", ""]
    assert document.warnings == (
        # The class of pypdf's own error stands in brackets, for whoever is asked for help.
        "odd.pdf: page 2 cannot be read (NotImplementedError); its text is missing.",
    )


@pytest.mark.parametrize("handler", [b"/Filter /Foo.Bar /V 1", b"/Filter /Standard /V 9"])
def test_a_pdf_with_an_unknown_protection_is_told_apart_from_a_broken_one(
    tmp_path: Path, handler: bytes
) -> None:
    data = _pdf(tmp_path, "Secret").read_bytes()
    locked = b"/Encrypt << %s /R 9 /O (x) /U (x) /P -4 >>\n/Root" % handler
    with pytest.raises(DocumentError, match=r"is protected in a way that cannot be opened: export it again"):
        read_document(_write(tmp_path, "locked.pdf", data.replace(b"/Root", locked)), "locked.pdf")


def test_a_page_beyond_the_limits_of_pypdf_is_told_apart_from_a_broken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: PageObject, **options: object) -> str:
        raise LimitReachedError("Reached maximum number of tokens per stream.")

    path = _pdf(tmp_path, "First page")
    monkeypatch.setattr(PageObject, "extract_text", fail)
    with pytest.raises(
        DocumentError, match=r"a page of it exceeds a limit that guards against harmful files"
    ):
        read_document(path, "made.pdf")


def test_halves_of_characters_are_replaced_wherever_they_stand(tmp_path: Path) -> None:
    """Ensures that a font that names a letter by half a character blocks neither tokenizer nor index."""
    writer = PdfWriter(PdfReader(_pdf(tmp_path, "The knee bends")))
    (font,) = writer.pages[0]["/Resources"]["/Font"].values()  # type: ignore[index]
    names = DecodedStreamObject()
    names.set_data(
        b"begincmap 1 begincodespacerange <00> <FF> endcodespacerange 1 beginbfchar <65> <D800> endbfchar "
        b"endcmap"
    )
    font.get_object()[NameObject("/ToUnicode")] = writer._add_object(names)
    writer.write(tmp_path / "halves.pdf")
    document = read_document(tmp_path / "halves.pdf", "halves.pdf")
    assert document.pages[0].text == document.lines[0].text == "Th\ufffd kn\ufffd\ufffd b\ufffdnds"
    assert document.warnings == (
        "halves.pdf: page 1 has letters that its fonts do not name; check its text.",
    )


def test_a_pdf_without_its_end_is_read_with_a_notice_where_all_pages_are_there(tmp_path: Path) -> None:
    data = _pdf(tmp_path, "First page", "Second page").read_bytes()
    cut = data[: data.rindex(b"\nxref") + 1]
    document = read_document(_write(tmp_path, "cut.pdf", cut), "cut.pdf")
    assert [page.text for page in document.pages] == ["First page", "Second page"]
    assert document.warnings == (
        "cut.pdf: its end is missing or broken; see whether pages are missing, or download it again.",
    )
    second = re.findall(rb"(\d+ 0 obj)\n<<\n[^>]*/Type /Page\n", cut)[1]
    with pytest.raises(DocumentError, match=r"is cut off: 1 of its 2 pages are there; copy or download"):
        read_document(_write(tmp_path, "cut.pdf", cut.replace(second, b"8 8 ooo")), "cut.pdf")


def test_a_pdf_with_a_broken_cross_reference_table_is_read(tmp_path: Path) -> None:
    data = _pdf(tmp_path, "First page", "Second page").read_bytes()
    start = data.rindex(b"startxref")
    for number, broken in enumerate(
        (
            data[:start] + b"startxref\n7\n%%EOF\n",
            data[:start],
            re.sub(rb"\d{10} (\d{5}) n", rb"0000000009 \1 n", data),
        )
    ):
        document = read_document(_write(tmp_path, f"{number}.pdf", broken), "broken.pdf")
        assert [page.text for page in document.pages] == ["First page", "Second page"]


def test_an_outline_does_no_harm(tmp_path: Path) -> None:
    writer = PdfWriter(PdfReader(_pdf(tmp_path, "First page", "Second page")))
    parent = writer.add_outline_item(title="Part one", page_number=0)
    writer.add_outline_item(title="Part two", page_number=1, parent=parent)
    writer.write(tmp_path / "outline.pdf")
    document = read_document(tmp_path / "outline.pdf", "outline.pdf")
    assert [page.text for page in document.pages] == ["First page", "Second page"]


def _fate(path: Path) -> str:
    try:
        return "read" if read_document(path, "cut.pdf").lines else "read without lines"
    except DocumentError as exc:
        return "broken" if "broken" in str(exc) else "without text"


def test_a_pdf_that_is_cut_off_is_read_or_refused_but_never_crashes(tmp_path: Path) -> None:
    data = _pdf(tmp_path, *(f"Page {number} of the guide." for number in range(5))).read_bytes()
    cuts = [_write(tmp_path, f"{share}.pdf", data[: len(data) * share // 10]) for share in range(1, 10)]
    assert {_fate(path) for path in cuts} <= {"read", "broken", "without text"}


def test_a_turned_page_reads_like_an_upright_one(tmp_path: Path) -> None:
    upright = read_document(_pdf(tmp_path, "First line here\nSecond line here"), "made.pdf")
    writer = PdfWriter(PdfReader(tmp_path / "made.pdf"))
    writer.pages[0].rotate(90)
    writer.write(tmp_path / "turned.pdf")
    turned = read_document(tmp_path / "turned.pdf", "turned.pdf")
    assert turned.pages[0].text == upright.pages[0].text


def test_two_columns_are_read_one_after_the_other(tmp_path: Path) -> None:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=10)
    for x, words in ((10, "left side"), (110, "right side")):
        pdf.set_xy(x, 20)
        for number in range(5):
            pdf.set_x(x)
            pdf.cell(80, 6, f"{words} {number}", new_x="LMARGIN", new_y="NEXT")
    pdf.output(str(tmp_path / "columns.pdf"))
    document = read_document(tmp_path / "columns.pdf", "columns.pdf")
    sides = [line.text.split()[0] for line in document.lines]
    assert sides == ["left"] * 5 + ["right"] * 5


def test_a_hundred_pages_take_seconds(tmp_path: Path) -> None:
    to_pdf(KNEES, tmp_path / "one.pdf", PdfStyle())
    writer = PdfWriter()
    while len(writer.pages) < 100:
        writer.append(tmp_path / "one.pdf")
    writer.write(tmp_path / "many.pdf")
    begin = time.process_time()
    document = read_document(tmp_path / "many.pdf", "many.pdf")
    assert len(document.pages) >= 100
    assert time.process_time() - begin < 20  # about 2 s on a free machine
