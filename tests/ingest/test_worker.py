"""The reading process: it is ended at its limits, the document is reported, the next one is read."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fpdf import FPDF

from ingest.build import ingest
from ingest.datatypes import ReadingLimits
from ingest.errors import DocumentError
from ingest.index import load_live
from ingest.readers import read_document
from ingest.report import DocumentState
from ingest.worker import DocumentReader, Reading
from tests.conftest import ROOT, FakeEncoder

LIMITS = ReadingLimits(max_seconds=20, max_memory_mib=400)


def read_oddly(path: Path, source: str, limits: ReadingLimits) -> Reading:
    """What stands for a library that a hostile file has in its hands; told what to do by the file's name."""
    if path.stem == "hangs":
        while True:
            pass
    if path.stem == "sleeps":
        time.sleep(3600)
    if path.stem == "grows":
        held = []
        while True:
            held.append(bytearray(1 << 22))
    if path.stem == "nests":
        return read_oddly(path, source, limits)
    if path.stem == "fails":
        raise KeyError("a library's own mistake")
    if path.stem == "dies":
        os._exit(11)
    return Reading(read_document(path, source, limits), (), ())


def make_pdf(path: Path, *texts: str) -> Path:
    pdf = FPDF()
    pdf.set_font("Helvetica", "", 11)
    for text in texts:
        pdf.add_page()
        pdf.multi_cell(0, 6, text)
    pdf.output(str(path))
    return path


@pytest.mark.parametrize(
    ("name", "limits", "told"),
    [
        ("hangs", ReadingLimits(max_seconds=2), "hangs.pdf was not read within 2 seconds"),
        ("sleeps", ReadingLimits(max_seconds=2), "sleeps.pdf was not read within 2 seconds"),
        ("grows", LIMITS, "grows.pdf needs more than 400 MiB of memory"),
        ("nests", LIMITS, "nests.pdf is nested too deeply"),
        (
            "fails",
            LIMITS,
            "fails.pdf cannot be read, for it brings about an error (KeyError in test_worker.py, ",
        ),
        ("dies", LIMITS, "dies.pdf made the process that read it end"),
    ],
)
def test_a_document_that_would_hang_or_exhaust_its_reader_is_reported_and_the_next_is_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, limits: ReadingLimits, told: str
) -> None:
    good = make_pdf(tmp_path / "good.pdf", "Water the plant once a week.")
    with DocumentReader(limits, read_oddly) as reader:
        assert reader.read(good, "good.pdf").document.pages[0].text == "Water the plant once a week."
        first = reader._process
        started = time.monotonic()
        with pytest.raises(DocumentError) as caught:
            reader.read(tmp_path / f"{name}.pdf", f"{name}.pdf")
        assert time.monotonic() - started < 60
        assert str(caught.value).startswith(told)
        assert str(caught.value).endswith(".")
        assert first is not None
        assert not first.is_alive()
        assert reader.read(good, "good.pdf").document.lines
        second = reader._process
    assert second is not None
    assert second is not first
    assert not second.is_alive()
    assert "Traceback" not in capfd.readouterr().err


KILLED = """
from pathlib import Path
from ingest.datatypes import ReadingLimits
from ingest.worker import DocumentReader
from tests.ingest.test_worker import read_oddly
with DocumentReader(ReadingLimits(), read_oddly) as reader:
    reader._start()
    print(reader._process.pid, flush=True)
    reader.read(Path("hangs.pdf"), "hangs.pdf")
"""


def test_the_reading_process_ends_with_an_ingest_that_is_killed() -> None:
    command = [sys.executable, "-c", KILLED]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as ingesting:
        assert ingesting.stdout is not None
        reading = int(ingesting.stdout.readline())
        ingesting.kill()
        try:
            ingesting.communicate(timeout=60)  # the reading process has the pipe's other end too
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(reading, signal.SIGTERM)


def test_one_process_reads_all_documents_and_none_is_started_for_text(tmp_path: Path) -> None:
    paths = [make_pdf(tmp_path / f"{number}.pdf", f"Title\nPage of number {number}.") for number in range(3)]
    (tmp_path / "a.md").write_text("# A\n\nWords stand here.\n")
    with DocumentReader(LIMITS) as reader:
        assert reader.read(tmp_path / "a.md", "a.md").blocks
        assert reader._process is None
        pids: list[int | None] = []
        for path in paths:
            reading = reader.read(path, path.name)
            assert [block.text for block in reading.blocks] == [f"Page of number {path.stem}."]
            assert reader._process is not None
            pids.append(reader._process.pid)
    assert len(set(pids)) == 1
    assert pids[0] != os.getpid()


def test_what_an_ingest_cannot_read_within_its_limits_is_reported_and_the_others_go_on(
    corpus: Path, tmp_path: Path
) -> None:
    make_pdf(corpus / "long.pdf", *(f"This is page {number} of it." for number in range(12)))
    make_pdf(corpus / "short.pdf", "Words that stand on one page.", "Words that stand on another page.")
    (corpus / "big.md").write_text("# Big\n\n" + "Many words are here.\n\n" * 100_000)
    (corpus / "guide.toml").write_text('title = "T"\n[limits]\nmax_pages = 10\nmax_document_mib = 1\n')
    report = ingest([corpus], tmp_path / "index", make_encoder=lambda name: FakeEncoder())
    problems = {document.source: document.problem for document in report.documents if document.problem}
    assert problems == {
        "big.md": "big.md has 2 MiB, more than the limit of 1: split it, or raise limits.max_document_mib in "
        "guide.toml.",
        "long.pdf": "long.pdf has 12 pages, more than the limit of 10: split it, or raise limits.max_pages "
        "in guide.toml.",
    }
    assert {p.source for p in load_live(tmp_path / "index").passages} == {"plants.md", "short.pdf"}
    states = {document.source: document.state for document in report.documents}
    assert states["short.pdf"] is DocumentState.ADDED


def test_thousands_of_pages_are_read_within_the_default_limits(tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "long.pdf", *(f"Page {number}. Hold the stretch." for number in range(2000)))
    with DocumentReader(ReadingLimits()) as reader:
        document = reader.read(path, "long.pdf").document
    assert len(document.pages) == 2000
    assert document.pages[1999].text.startswith("Page 1999. Hold the stretch")
