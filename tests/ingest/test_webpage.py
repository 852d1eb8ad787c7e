"""HTML and Word files: what stands in them is read with its structure, the rest is left out and told."""

import sys
import zipfile
from pathlib import Path

import pytest

from ingest import webpage
from ingest.build import ingest
from ingest.datatypes import PassageKind, ReadingLimits
from ingest.errors import DocumentError
from ingest.index import is_quote_found, load_live
from ingest.readers import read_document
from ingest.webpage import convert_html
from tests.conftest import FakeEncoder

PAGE = """<!doctype html><html><head><title>House plants</title><style>p {color: red}</style></head><body>
<nav><a href="/">Home</a> <a href="/more">More pages</a></nav><script>alert("no")</script>
<main><h1>House plants</h1>
<p>Plants clean   the air.<br>They need <b>light</b> &amp; water. <!-- hidden --></p>
<h2>Watering</h2>
<p>These watering methods are good:</p>
<ul><li><p><strong>Soaking:</strong> Put the pot into a bowl of water.</p></li>
<li><strong>Misting:</strong> Fill a bottle. <ul><li>Soft water</li></ul></li></ul>
<div><div>Text in a box.</div>and beside it</div>
<table><tr><th>Plant</th><th>Water</th></tr><tr><td>Fern</td><td>every day</td></tr></table>
<h2>Frequently Asked Questions</h2>
<details><summary>Can I use coffee grounds?</summary><p>Yes, a spoonful a month.</p></details>
<details><summary>Do plants sleep?</summary><p>They rest at night.</p></details>
<dl><dt>Soil</dt><dd>What the roots stand in.</dd></dl>
<p># no heading, 5*3 &lt;b&gt; [x](y) a_b_c</p><p>- no list</p><p>3. no list</p>
<form><label>Your name</label><input></form></main><footer>Imprint</footer></body></html>"""

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
STYLES = {"Title": "Title", "Heading1": "heading 1", "ListBullet": "List Bullet"}


def paragraph(text: str, style: str = "", is_listed: bool = False) -> str:
    look = f'<w:pStyle w:val="{style}"/>' if style else ""
    listed = '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>' if is_listed else ""
    return f"<w:p><w:pPr>{look}{listed}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def make_docx(path: Path, *paragraphs: str) -> Path:
    """Write a small Word file by hand."""
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="{id_}"><w:name w:val="{name}"/></w:style>'
        for id_, name in STYLES.items()
    )
    main = "application/vnd.openxmlformats-officedocument.wordprocessingml"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    relations = "http://schemas.openxmlformats.org/package/2006/relationships"
    numbering = (
        '<w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/></w:lvl>'
        '</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
    )
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{main}.document.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{relations}"><Relationship Id="r1" '
        f'Type="{office}/officeDocument" Target="word/document.xml"/></Relationships>',
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{relations}">'
        f'<Relationship Id="r1" Type="{office}/styles" Target="styles.xml"/>'
        f'<Relationship Id="r2" Type="{office}/numbering" Target="numbering.xml"/></Relationships>',
        "word/styles.xml": f"<w:styles {W}>{styles}</w:styles>",
        "word/numbering.xml": f"<w:numbering {W}>{numbering}</w:numbering>",
        "word/document.xml": f"<w:document {W}><w:body>{''.join(paragraphs)}</w:body></w:document>",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{text}')
    return path


def test_a_web_page_becomes_markdown_with_its_structure() -> None:
    converted = convert_html(PAGE.encode(), "a.html")
    assert converted.title == "House plants"
    assert converted.words_left_out == 6
    assert converted.markdown.split("\n\n") == [
        "# House plants",
        "Plants clean the air.\nThey need **light** &amp; water.",
        "## Watering",
        "These watering methods are good:",
        "- **Soaking:** Put the pot into a bowl of water.\n- **Misting:** Fill a bottle.\n  - Soft water",
        "Text in a box.",
        "and beside it",
        "| Plant | Water |\n|---|---|\n| Fern | every day |",
        "## Frequently Asked Questions",
        "### Can I use coffee grounds?",
        "Yes, a spoonful a month.",
        "### Do plants sleep?",
        "They rest at night.",
        "- **Soil:** What the roots stand in.",
        "\\# no heading, 5\\*3 &lt;b&gt; \\[x\\](y) a\\_b\\_c",
        "\\- no list",
        "3\\. no list",
    ]


def test_a_web_page_is_ingested_and_every_quote_is_found_in_its_page(corpus: Path, tmp_path: Path) -> None:
    (corpus / "page.html").write_text(PAGE, encoding="utf-8")
    report = ingest([corpus], tmp_path / "index", make_encoder=lambda name: FakeEncoder())
    document = next(document for document in report.documents if document.source == "page.html")
    assert document.notices == ("6 words of menus, forms and the page's foot were left out.",)
    live = load_live(tmp_path / "index")
    own = [passage for passage in live.passages if passage.source == "page.html"]
    for passage in own:
        for segment in passage.segments:
            assert is_quote_found(segment, live.pages["page.html"]), segment.text
    text = "\n".join(passage.text for passage in own)
    assert "# no heading, 5*3 <b> [x](y) a_b_c" in text
    assert "They need light & water." in text
    assert not [word for word in ("alert", "Imprint", "hidden", "More pages", "color") if word in text]
    titles = {passage.title: passage.kind for passage in own if passage.title}
    assert titles["Can I use coffee grounds?"] is PassageKind.FAQ
    assert titles["Soaking"] is PassageKind.ITEM


@pytest.mark.parametrize(
    ("head", "codec"),
    [
        ('<meta charset="utf-8">', "utf-8"),
        ('<meta charset="windows-1252">', "cp1252"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-15">', "iso-8859-15"),
        ("", "utf-8"),
        ("", "utf-16"),
    ],
)
def test_a_web_page_is_decoded_as_it_says(head: str, codec: str) -> None:
    data = f"<html><head>{head}</head><body><p>Die Übung kräftigt.</p></body></html>".encode(codec)
    assert convert_html(data, "a.html").markdown == "Die Übung kräftigt."


def test_a_word_file_is_read_with_title_headings_and_lists(tmp_path: Path) -> None:
    path = make_docx(
        tmp_path / "plants.docx",
        paragraph("Caring for Plants", "Title"),
        paragraph("Plants clean the air of a room."),
        paragraph("Watering", "Heading1"),
        paragraph("These methods are good:"),
        paragraph("Soaking: Put the pot into a bowl.", is_listed=True),
        paragraph("Misting: Fill a bottle &amp; spray.", is_listed=True),
    )
    document = read_document(path, "plants.docx")
    assert document.pages[0].text.split("\n\n") == [
        "# Caring for Plants",
        "Plants clean the air of a room.",
        "# Watering",
        "These methods are good:",
        "- Soaking: Put the pot into a bowl.\n- Misting: Fill a bottle &amp; spray.",
    ]
    assert document.has_markup


def test_a_word_file_is_ingested_beside_others(corpus: Path, tmp_path: Path) -> None:
    make_docx(
        corpus / "knives.docx", paragraph("Knives", "Heading1"), paragraph("Hold the blade at an angle.")
    )
    ingest([corpus], tmp_path / "index", make_encoder=lambda name: FakeEncoder())
    own = [p for p in load_live(tmp_path / "index").passages if p.source == "knives.docx"]
    assert [passage.text for passage in own] == ["Hold the blade at an angle."]


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.docx", b"no archive", "broken, locked with a password or not a Word file"),
        ("a.docx", b"PK\x03\x04 cut off", "broken, locked with a password or not a Word file"),
        ("a.html", b"<html><body><script>x()</script></body></html>", "holds no text"),
        ("a.html", b"<div>" * 30_000 + b"deep", "nested too deeply"),
        ("a.html", b"<p>ok <![foo bar]> text</p>", "is no HTML that can be read"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_sentence(
    tmp_path: Path, name: str, data: bytes, told: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DocumentError, match=told) as caught:
        read_document(tmp_path / name, name)
    assert str(caught.value).startswith(name)
    assert str(caught.value).endswith(".")


def test_an_archive_without_a_document_is_no_word_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.docx", "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(DocumentError, match="not a Word file"):
        read_document(tmp_path / "a.docx", "a.docx")


def test_a_word_file_with_broken_text_is_told_in_one_sentence(tmp_path: Path) -> None:
    path = make_docx(tmp_path / "a.docx", "<w:p>")
    with pytest.raises(DocumentError, match="broken, locked with a password or not a Word file"):
        read_document(path, "a.docx")


def test_a_word_file_that_unpacks_to_more_than_the_limit_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = ReadingLimits(max_document_mib=1)
    path = make_docx(tmp_path / "a.docx", paragraph("Words."))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/media/image1.bmp", bytes(2 << 20))  # a picture, which is not read
    assert read_document(path, "a.docx", limits).pages[0].text == "Words."
    monkeypatch.setattr("mammoth.convert_to_html", None)
    with pytest.raises(DocumentError, match=r"a\.docx unpacks to 2 MiB, more than the limit of 1: split it"):
        read_document(make_docx(path, paragraph("A" * (2 << 20))), "a.docx", limits)


@pytest.mark.parametrize(("name", "package"), [("a.html", "bs4"), ("a.docx", "mammoth")])
def test_a_missing_package_is_named_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    (tmp_path / name).write_bytes(b"<p>Words.</p>")
    with pytest.raises(DocumentError) as caught:
        read_document(tmp_path / name, name)
    assert str(caught.value) == webpage._MISSING.format(source=name)
    assert 'run: pip install -c constraints.txt -e ".[formats]"' in str(caught.value)
