"""The operator's page in a browser, with real files: put in, ingested, removed, gone back."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fpdf import FPDF
from playwright.sync_api import expect

from bot.chat import load_bot
from bot.documents import Documents, Operator
from bot.page import build_page, launch_page
from ingest.build import ingest
from ingest.report import Report
from ingest.store import DocumentStore
from tests.browser.conftest import RESULTS, Open, Visitor, free_port, wait_for
from tests.conftest import GUIDE, FakeEncoder

pytestmark = pytest.mark.browser
LAPTOP, PHONE = (1280, 800), (390, 844)


@pytest.fixture
def address(corpus: Path, tmp_path: Path) -> Iterator[str]:
    """Where the small guide is served with its operator's page."""
    folder, port = tmp_path / "index", free_port()

    def run(is_forced: bool, progress: Callable[[str, int, int], None]) -> Report:
        return ingest(
            [corpus], folder, is_forced=is_forced, progress=progress, make_encoder=lambda _: FakeEncoder()
        )

    run(False, lambda what, done, total: None)
    bot = load_bot(folder, FakeEncoder())
    page = build_page(bot, has_documents=True)
    options = {"store": DocumentStore(corpus, folder, run), "operator": Operator(True), "title": bot.title}
    arguments = (page, "127.0.0.1", port, None, [(Documents, (), options)])
    threading.Thread(target=launch_page, args=arguments, daemon=True).start()
    wait_for(f"http://127.0.0.1:{port}/documents")
    yield f"http://127.0.0.1:{port}/"
    page.close()


def rows(visitor: Visitor, table: str) -> list[str]:
    return [" ".join(row.split()) for row in visitor.page.locator(f"#{table} tbody tr").all_inner_texts()]


def test_the_operator_puts_a_pdf_in_replaces_removes_and_goes_back(
    address: str, visit: Open, tmp_path: Path
) -> None:
    visitor = visit(address)
    page = visitor.page
    page.locator("#documents-link").click()
    expect(page.locator("h2").first).to_have_text("Documents")
    expect(page.locator("#documents tbody tr")).to_have_count(1)
    assert rows(visitor, "documents")[0].startswith("plants.md 1 ")
    pdf = FPDF()
    for words in ("<b>Knives</b> are sharp. Hold the blade at an angle.", "Soak the stone for ten minutes."):
        pdf.add_page()
        pdf.set_font("Helvetica", "", 11)
        pdf.multi_cell(0, 6, words)
    pdf.output(str(tmp_path / "knives & stones.pdf"))
    page.locator("#file").set_input_files(tmp_path / "knives & stones.pdf")
    expect(page.locator("#documents tbody tr")).to_have_count(2)
    assert "new: re-ingest" in rows(visitor, "documents")[0]
    page.locator("#ingest").click()
    expect(page.locator("#report h3")).to_have_text("The new version is live", timeout=60_000)
    assert "knives & stones.pdf: added, 2 pages" in page.locator("#report").inner_text()
    expect(page.locator("#generations tbody tr")).to_have_count(2)
    (tmp_path / "plants.md").write_text(GUIDE.replace("once a week", "twice a week"))
    page.locator("#file").set_input_files(tmp_path / "plants.md")
    expect(page.locator("#documents tbody tr").nth(1)).to_contain_text("changed: re-ingest")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Remove knives & stones.pdf").click()
    expect(page.locator("#documents tbody tr").first).to_contain_text("removed: re-ingest")
    page.locator("#ingest").click()
    expect(page.locator("#report")).to_contain_text("knives & stones.pdf: removed", timeout=60_000)
    expect(page.locator("#documents tbody tr")).to_have_count(1)
    page.get_by_role("button", name="Go back to ").first.click()
    expect(page.locator("#generations tbody tr").nth(1)).to_contain_text("live")
    assert visitor.errors == []
    assert visitor.foreign_requests == []


@pytest.mark.parametrize(
    ("size", "scheme"), [(LAPTOP, "light"), (LAPTOP, "dark"), (PHONE, "light"), (PHONE, "dark")]
)
def test_a_file_outside_the_sources_is_listed_with_the_reason(
    address: str, visit: Open, corpus: Path, tmp_path: Path, size: tuple[int, int], scheme: str
) -> None:
    settings = corpus / "guide.toml"
    settings.write_text(f'sources = ["plants.md"]\n{settings.read_text()}')
    (tmp_path / "notes.md").write_text("# Notes\n\nThe moss is <b>green</b>.\n")
    visitor = visit(address, size, scheme)
    page = visitor.page
    page.goto(f"{address}documents")
    page.locator("#file").set_input_files(tmp_path / "notes.md")
    expect(page.locator("#problem")).to_contain_text("guide.toml names the files that are read")
    row = page.locator("#documents tbody tr").nth(1)
    expect(row).to_contain_text("kept, not part of the guide")
    page.locator("#ingest").click()
    expect(page.locator("#report h3")).to_be_visible(timeout=60_000)
    page.reload()
    expect(row).to_contain_text("notes.md was saved, but guide.toml names the files that are read (sources)")
    expect(row).to_contain_text("kept, not part of the guide")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    page.screenshot(path=os.fspath(picture(f"outside-{size[0]}-{scheme}")), full_page=True)
    settings.write_text(settings.read_text().replace('["plants.md"]', '["*.md"]'))
    page.reload()
    expect(page.locator("#documents tbody tr").first).to_contain_text("new: re-ingest")
    expect(page.locator("#documents")).not_to_contain_text("not part of the guide")


def test_a_file_that_fails_says_why_and_the_headline_too(address: str, visit: Open, corpus: Path) -> None:
    (corpus / "broken.pdf").write_bytes(b"no PDF")
    page = visit(address).page
    page.goto(f"{address}documents")
    row = page.locator("#documents tbody tr").first
    expect(row).to_contain_text("new: re-ingest")
    page.locator("#ingest").click()
    expect(page.locator("#report h3")).to_have_text("A document needs attention", timeout=60_000)
    expect(row).to_contain_text("failed: broken.pdf ")
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    page.screenshot(path=os.fspath(picture("failed")), full_page=True)


@pytest.mark.parametrize(
    ("name", "size", "scheme"), [("laptop-light", LAPTOP, "light"), ("phone-dark", PHONE, "dark")]
)
def test_the_page_fits_the_screen(
    address: str, visit: Open, name: str, size: tuple[int, int], scheme: str
) -> None:
    visitor = visit(address, size, scheme)
    visitor.page.goto(f"{address}documents")
    visitor.page.locator("#ingest").click()
    expect(visitor.page.locator("#report h3")).to_have_text("Everything was up to date", timeout=60_000)
    width = visitor.page.evaluate("document.documentElement.scrollWidth")
    assert width <= size[0]
    visitor.page.screenshot(path=os.fspath(picture(name)), full_page=True)


def picture(name: str) -> Path:
    RESULTS.mkdir(exist_ok=True)
    return RESULTS / f"documents-{name}.png"
