"""The pipeline: what an ingest does with documents that come, change, fail, move and go."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fpdf import FPDF

from ingest import build
from ingest.build import ingest
from ingest.encode import load_encoder
from ingest.errors import ConfigError, DocumentError, EncoderError, IndexWithdrawnError, UsageError
from ingest.index import Generation, is_quote_found, live_name, load_live
from ingest.report import DocumentReport, DocumentState, Report
from ingest.sources import find_sources, fingerprint
from ingest.worker import DocumentReader, Reading
from tests.conftest import GUIDE, ORIGINAL, ROOT, FakeEncoder

OTHER = """\
# Sharpening a Knife

A blunt knife slips. Hold the blade at twenty degrees to the stone.

## Stones

Soak a water stone for ten minutes. An oil stone needs three drops of oil.
"""
BROKEN = b"%PDF-1.4\nthis is the beginning of a file that was cut off"
SESAME = "sesame"


class Workbench:
    """A corpus, an index and an encoder that counts."""

    def __init__(self, corpus: Path, folder: Path) -> None:
        self.corpus, self.folder = corpus, folder
        self.encoded: list[str] = []

    def ingest(
        self,
        *paths: Path,
        config: Path | None = None,
        fallback_config: Path = Path("/nowhere/guide.toml"),
        is_rebuild: bool = False,
        encoder: FakeEncoder | None = None,
    ) -> Report:
        """Ingest, the corpus where no path is named; leaves what was encoded in ``encoded``."""
        used = encoder or FakeEncoder()
        report = ingest(
            paths or [self.corpus],
            self.folder,
            config=config,
            fallback_config=fallback_config,
            is_rebuild=is_rebuild,
            make_encoder=lambda name: used,
        )
        self.encoded = used.encoded
        assert report.encoded == len(self.encoded)
        return report

    def write(self, name: str, content: str | bytes) -> Path:
        """Put a file into the corpus."""
        path = self.corpus / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def live(self) -> Generation:
        """Load what is live and check it: every passage found in its page, every vector its view's own."""
        live = load_live(self.folder)
        for passage in live.passages:
            for segment in passage.segments:
                assert is_quote_found(segment, live.pages[passage.source]), segment.text
        fresh = FakeEncoder().encode_queries([view.text for view in live.views])
        assert (live.vectors.vectors() == fresh).all()
        assert len({passage.id for passage in live.passages}) == len(live.passages)
        return live

    def texts(self, source: str = "") -> str:
        """All text of the live passages, of one source or of all."""
        return "\n".join(p.text for p in self.live().passages if source in ("", p.source))


@pytest.fixture
def bench(corpus: Path, tmp_path: Path) -> Workbench:
    return Workbench(corpus, tmp_path / "index")


def states(report: Report) -> dict[str, DocumentState]:
    return {document.source: document.state for document in report.documents}


def report_of(report: Report, source: str) -> DocumentReport:
    return next(document for document in report.documents if document.source == source)


# --- add, change, keep, remove, rename -------------------------------------------------------------


def test_a_first_ingest_adds_everything_and_encodes_each_text_once(bench: Workbench) -> None:
    report = bench.ingest()
    live = bench.live()
    (document,) = report.documents
    assert (document.source, document.state, document.problem) == ("plants.md", DocumentState.ADDED, "")
    assert (document.added, document.kept, document.removed) == (len(live.passages), 0, 0)
    assert (report.passages, report.views) == (len(live.passages), len(live.views))
    assert sorted(bench.encoded) == sorted({view.text for view in live.views})
    assert report.is_changed
    assert report.generation == live.name
    assert not report.needs_attention


def test_an_unchanged_corpus_encodes_nothing_and_keeps_the_generation(bench: Workbench) -> None:
    first = bench.ingest()
    before = {path: path.stat().st_mtime_ns for path in (bench.folder / "generations").rglob("*")}
    second = bench.ingest()
    assert bench.encoded == []
    assert not second.is_changed
    assert second.generation == first.generation == live_name(bench.folder)
    assert states(second) == {"plants.md": DocumentState.KEPT}
    assert {path: path.stat().st_mtime_ns for path in (bench.folder / "generations").rglob("*")} == before


def test_a_touched_file_is_not_a_changed_one(bench: Workbench) -> None:
    bench.ingest()
    os.utime(bench.corpus / "plants.md", (1, 1))
    assert not bench.ingest().is_changed


def test_one_changed_paragraph_encodes_only_its_own_views(bench: Workbench) -> None:
    bench.ingest()
    bench.write("plants.md", GUIDE.replace("In winter it needs half as much.", "In winter it needs a third."))
    report = bench.ingest()
    document = report_of(report, "plants.md")
    assert document.state is DocumentState.CHANGED
    assert (document.added, document.changed, document.removed) == (0, 1, 0)
    assert document.kept == report.passages - 1
    assert sorted(bench.encoded) == sorted(
        [
            "In winter it needs a third.",
            "Watering. Water the plant when the top of the soil is dry. Too much water rots the roots, and "
            "the leaves turn yellow. In winter it needs a third.",
        ]
    )
    assert "half as much" not in bench.texts()


def test_a_new_document_leaves_the_others_as_they_were(bench: Workbench) -> None:
    bench.ingest()
    before = bench.live().passages
    bench.write("more/knives.md", OTHER)
    report = bench.ingest()
    assert states(report) == {"more/knives.md": DocumentState.ADDED, "plants.md": DocumentState.KEPT}
    live = bench.live()
    assert [p for p in live.passages if p.source == "plants.md"] == list(before)
    assert set(bench.encoded) == {v.text for v in live.views if live.passages[v.row].source != "plants.md"}


def test_a_removed_document_is_gone_from_everything(bench: Workbench) -> None:
    path = bench.write("knives.md", OTHER)
    bench.ingest()
    count = len([p for p in bench.live().passages if p.source == "knives.md"])
    path.unlink()
    report = bench.ingest()
    document = report_of(report, "knives.md")
    assert (document.state, document.removed, document.passages) == (DocumentState.REMOVED, count, 0)
    assert bench.encoded == []
    live = bench.live()
    assert {p.source for p in live.passages} == set(live.pages) == {"plants.md"}
    assert "knife" not in " ".join(view.text for view in live.views)
    assert not report.needs_attention


def test_a_document_that_is_not_named_any_more_is_removed(bench: Workbench) -> None:
    bench.write("knives.md", OTHER)
    bench.ingest()
    report = bench.ingest(bench.corpus / "knives.md")
    assert states(report) == {"knives.md": DocumentState.KEPT, "plants.md": DocumentState.REMOVED}


def test_a_renamed_document_makes_no_duplicate_and_encodes_nothing(bench: Workbench) -> None:
    bench.ingest()
    before = bench.live()
    (bench.corpus / "plants.md").rename(bench.corpus / "house plants.md")
    report = bench.ingest()
    assert states(report) == {"house plants.md": DocumentState.RENAMED}
    document = report_of(report, "house plants.md")
    assert (document.other, document.kept, report.read) == ("plants.md", len(before.passages), 0)
    assert bench.encoded == []
    live = bench.live()
    assert [p.text for p in live.passages] == [p.text for p in before.passages]
    assert {p.source for p in live.passages} == {"house plants.md"}
    assert not {p.id for p in live.passages} & {p.id for p in before.passages}


def test_a_document_that_moves_to_another_folder_is_recognised_with_its_links(bench: Workbench) -> None:
    """Ensures that a list still knows its entries, and that a quote is cited under the new name."""
    bench.write("knives.md", OTHER)
    bench.ingest()
    before = {p.id: p for p in bench.live().passages}
    (bench.corpus / "sub").mkdir()
    (bench.corpus / "plants.md").rename(bench.corpus / "sub" / "a.md")
    report = bench.ingest()
    assert states(report) == {"knives.md": DocumentState.KEPT, "sub/a.md": DocumentState.RENAMED}
    assert report.read == 0
    live = {p.id: p for p in bench.live().passages}
    lists = [p for p in live.values() if p.item_ids]
    assert [live[id_].title for p in lists for id_ in p.item_ids] == ["Soaking", "Misting"]
    assert {live[id_].list_id for p in lists for id_ in p.item_ids} == {p.id for p in lists}
    assert {p.id for p in before.values() if p.source == "knives.md"} <= set(live)
    assert same_as_fresh(bench)


def same_as_fresh(bench: Workbench) -> bool:
    """Tell whether the live passages are those of an index that is made from nothing."""
    fresh = Workbench(bench.corpus, bench.folder.parent / "fresh")
    fresh.ingest()
    return fresh.live().passages == bench.live().passages


def test_documents_that_exchange_their_names_are_not_read(bench: Workbench) -> None:
    bench.write("knives.md", OTHER)
    bench.ingest()
    (bench.corpus / "plants.md").rename(bench.corpus / "aside")
    (bench.corpus / "knives.md").rename(bench.corpus / "plants.md")
    (bench.corpus / "aside").rename(bench.corpus / "knives.md")
    report = bench.ingest()
    assert states(report) == {"knives.md": DocumentState.RENAMED, "plants.md": DocumentState.RENAMED}
    assert report_of(report, "plants.md").other == "knives.md"
    assert (report.read, bench.encoded) == (0, [])
    assert same_as_fresh(bench)
    assert not bench.ingest().is_changed


def test_a_document_that_is_put_aside_for_a_new_one_of_its_name_is_not_read_again(bench: Workbench) -> None:
    bench.ingest()
    count = len(bench.live().passages)
    (bench.corpus / "plants.md").rename(bench.corpus / "old.md")
    bench.write("plants.md", OTHER)
    report = bench.ingest()
    assert states(report) == {"old.md": DocumentState.RENAMED, "plants.md": DocumentState.ADDED}
    old, new = report.documents
    assert (old.other, old.kept, old.removed, new.removed) == ("plants.md", count, 0, 0)
    assert report.read == 1
    assert same_as_fresh(bench)


@pytest.mark.parametrize("content", [b"", OTHER.encode()], ids=["broken", "a copy"])
def test_what_was_put_aside_is_not_kept_under_its_former_name_too(bench: Workbench, content: bytes) -> None:
    bench.write("knives.md", OTHER)
    bench.ingest()
    (bench.corpus / "plants.md").rename(bench.corpus / "old.md")
    bench.write("plants.md", content)
    report = bench.ingest()
    document = report_of(report, "plants.md")
    assert document.state is (DocumentState.DUPLICATE if content else DocumentState.FAILED)
    assert (document.kept, document.removed) == (0, 0)
    assert {passage.source for passage in bench.live().passages} == {"knives.md", "old.md"}
    assert same_as_fresh(bench)


def test_a_copy_of_a_document_is_reported_and_left_out(bench: Workbench) -> None:
    bench.ingest()
    bench.write("a copy.md", GUIDE)
    report = bench.ingest()
    assert states(report) == {"a copy.md": DocumentState.DUPLICATE, "plants.md": DocumentState.KEPT}
    assert report_of(report, "a copy.md").other == "plants.md"
    assert not report.is_changed
    assert not report.needs_attention
    assert (report.read, bench.encoded) == (0, [])
    (bench.corpus / "plants.md").unlink()
    report = bench.ingest()
    assert states(report) == {"a copy.md": DocumentState.RENAMED}
    assert {p.source for p in bench.live().passages} == {"a copy.md"}


def test_empty_files_are_reported_as_empty_and_not_as_copies(bench: Workbench) -> None:
    for name in ("empty.md", "empty.pdf", "empty.txt"):
        bench.write(name, b"")
    report = bench.ingest()
    for name in ("empty.md", "empty.pdf", "empty.txt"):
        document = report_of(report, name)
        assert document.state is DocumentState.FAILED
        assert document.problem.startswith(f"{name} is an empty file")


def test_a_document_that_becomes_a_copy_of_another_gives_its_own_passages_up(bench: Workbench) -> None:
    bench.write("knives.md", OTHER)
    bench.ingest()
    bench.write("knives.md", GUIDE)
    report = bench.ingest()
    document = report_of(report, "knives.md")
    assert (document.state, document.other) == (DocumentState.DUPLICATE, "plants.md")
    assert document.removed > 0
    assert {p.source for p in bench.live().passages} == {"plants.md"}


def test_only_what_has_changed_is_read(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        bench.write(f"{number}.md", OTHER.replace("three drops", f"{number + 2} drops"))
    bench.ingest()
    read: list[str] = []

    real = DocumentReader.read

    def counted(self: DocumentReader, path: Path, source: str) -> Reading:
        read.append(source)
        return real(self, path, source)

    monkeypatch.setattr(DocumentReader, "read", counted)
    assert bench.ingest().read == 0
    assert read == []
    bench.write("3.md", OTHER.replace("three drops", "eleven drops"))
    report = bench.ingest()
    assert (read, report.read) == (["3.md"], 1)
    monkeypatch.setattr(build, "reading_revision", lambda: "another")
    assert bench.ingest().read == 6  # another way of reading: everything is read, nothing encoded
    assert bench.encoded == []
    assert bench.ingest().read == 0


def test_one_changed_paragraph_of_a_long_document_encodes_at_most_three_passages(bench: Workbench) -> None:
    paragraphs = [f"Plant {n} stands by window {n}. It gets {n} cups of water each week." for n in range(60)]
    text = "# Plants\n\n" + "\n\n".join(f"## Shelf {n}\n\n{words}" for n, words in enumerate(paragraphs))
    bench.write("plants.md", text)
    bench.ingest()
    bench.write("plants.md", text.replace("It gets 30 cups of water each week.", "It gets no water at all."))
    report = bench.ingest()
    live = bench.live()
    touched = {live.views[row].row for row in range(len(live.views)) if live.views[row].text in bench.encoded}
    assert 1 <= len(touched) <= 3
    assert report.encoded == len(bench.encoded) <= 6


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "It gets 4 cups.",
            "It gets 4 cups in May. It gets 5 cups in June, for then it is hot at the window.",
        ),
        ("Plant 4 stands by window 4. It gets 4 cups.\n\n", ""),
        ("Plant 4 ", "Plants stand by the windows, and each gets its cups.\n\nPlant 4 "),
    ],
    ids=["grows", "goes", "comes"],
)
def test_a_paragraph_that_changes_in_a_long_section_encodes_at_most_three_passages(
    bench: Workbench, old: str, new: str
) -> None:
    """Ensures that the paragraphs after it, which are joined into passages, are joined as before."""
    text = "# Plants\n\n## Windows\n\n" + "\n\n".join(
        f"Plant {n} stands by window {n}. It gets {n} cups." for n in range(120)
    )
    bench.write("plants.md", text)
    bench.ingest()
    assert old in text
    bench.write("plants.md", text.replace(old, new))
    document = report_of(bench.ingest(), "plants.md")
    assert document.passages > 8
    assert document.passages - document.kept <= 3
    assert len(bench.encoded) <= 6


NOT_LOADED = """
import sys
from pathlib import Path
from ingest.build import ingest
from ingest.encode import load_encoder
from tests.conftest import FakeEncoder

corpus, index = Path(sys.argv[1]), Path(sys.argv[2])
real = load_encoder()

class Named(FakeEncoder):  # makes vectors in the name of the real encoder
    name, revision, max_tokens, count_tokens = real.name, real.revision, real.max_tokens, real.count_tokens

ingest([corpus], index, make_encoder=lambda _: Named())
assert not ingest([corpus], index, make_encoder=load_encoder).is_changed
(corpus / "plants.md").rename(corpus / "house.md")
assert ingest([corpus], index, make_encoder=load_encoder).is_changed
assert "torch" not in sys.modules and "sentence_transformers" not in sys.modules
"""


def test_the_encoder_is_not_loaded_where_nothing_has_to_be_encoded(corpus: Path, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", NOT_LOADED, str(corpus), str(tmp_path / "index")], cwd=ROOT, check=True
    )


def test_all_documents_but_one_removed_leaves_nothing_of_the_others(bench: Workbench) -> None:
    for number in range(5):
        bench.write(f"{number}.md", OTHER.replace("three drops", f"{number + 2} drops"))
    bench.ingest()
    for path in bench.corpus.glob("*.md"):
        if path.name != "3.md":
            path.unlink()
    report = bench.ingest()
    assert bench.encoded == []
    live = bench.live()
    assert {p.source for p in live.passages} == set(live.pages) == {"3.md"}
    assert [entry.source for entry in live.manifest.sources] == ["3.md"]
    assert len(live.views) == live.vectors.size == report.views
    assert "Plants" not in (bench.folder / "generations" / live.name / "views.jsonl").read_text()


def test_an_index_whose_documents_are_all_gone_is_out_of_service_until_one_is_there(bench: Workbench) -> None:
    bench.ingest()
    (bench.corpus / "plants.md").unlink()
    for _ in range(2):
        with pytest.raises(DocumentError, match=r"There is no document in .*; put a guide there"):
            bench.ingest()
        with pytest.raises(IndexWithdrawnError, match=r"is out of service, .*python -m ingest PATH --index"):
            load_live(bench.folder)
    bench.write("knives.md", OTHER)
    assert states(bench.ingest()) == {"knives.md": DocumentState.ADDED}
    assert {p.source for p in bench.live().passages} == {"knives.md"}


@pytest.mark.parametrize(("name", "content"), [("old.doc", b"\xd0\xcf\x11\xe0"), ("empty.md", b"")])
def test_a_named_file_that_cannot_be_read_leaves_the_index_in_service(
    bench: Workbench, tmp_path: Path, name: str, content: bytes
) -> None:
    bench.ingest()
    before = bench.live().name
    slip = tmp_path / name
    slip.write_bytes(content)
    with pytest.raises(DocumentError, match=rf"{name}.* stays as it was"):
        bench.ingest(slip, fallback_config=bench.corpus / "guide.toml")
    assert bench.live().name == before


def test_what_was_taken_away_is_named(bench: Workbench) -> None:
    bench.ingest()
    (bench.corpus / "plants.md").unlink()
    bench.write("nothing.md", b"")
    with pytest.raises(DocumentError, match=r"all its documents \(plants\.md\) were taken away"):
        bench.ingest()


def test_a_document_named_by_a_pattern_and_gone_is_not_answered_from(bench: Workbench) -> None:
    """Ensures that a guide named in guide.toml can be taken away like any other."""
    bench.write("guide.toml", 'title = "T"\nsources = ["plants.md"]')
    bench.ingest()
    (bench.corpus / "plants.md").unlink()
    with pytest.raises(DocumentError, match="out of service"):
        bench.ingest()
    with pytest.raises(IndexWithdrawnError):
        load_live(bench.folder)


def test_patterns_that_find_nothing_leave_the_index_in_service(bench: Workbench) -> None:
    bench.ingest()
    before = bench.live().name
    bench.write("guide.toml", 'title = "T"\nsources = ["gude.pdf"]')
    with pytest.raises(DocumentError):
        bench.ingest()
    assert load_live(bench.folder).name == before


def test_the_same_corpus_gives_the_same_index_anywhere(bench: Workbench, tmp_path: Path) -> None:
    """Ensures that nothing random, no time and no path of the machine is in what is cited."""
    bench.write("more/knives.md", OTHER)
    bench.ingest()
    elsewhere = tmp_path / "else" / "where"
    elsewhere.mkdir(parents=True)
    bench.corpus.rename(elsewhere / "corpus")
    other = Workbench(elsewhere / "corpus", tmp_path / "other")
    other.ingest()
    one, two = bench.live(), other.live()
    assert one.manifest.files == two.manifest.files
    assert str(tmp_path) not in "".join(
        path.read_text(encoding="utf-8", errors="ignore")
        for path in bench.folder.rglob("*")
        if path.is_file()
    )


def test_a_rebuild_encodes_everything_and_gives_the_same_index(bench: Workbench) -> None:
    first = bench.ingest()
    before = bench.live()
    report = bench.ingest(is_rebuild=True)
    assert len(bench.encoded) == first.encoded
    assert report.is_changed
    assert report.generation != first.generation
    assert bench.live().manifest.files == before.manifest.files


@pytest.mark.parametrize(("field", "value"), [("name", "another"), ("revision", "2"), ("max_tokens", 40)])
def test_another_encoder_or_passage_size_leads_to_a_rebuild(
    bench: Workbench, field: str, value: object
) -> None:
    bench.ingest()
    encoder = FakeEncoder()
    setattr(encoder, field, value)
    report = bench.ingest(encoder=encoder)
    live = bench.live()
    assert sorted(bench.encoded) == sorted({view.text for view in live.views})
    assert report.is_changed
    manifest = live.manifest
    assert (manifest.encoder_name, manifest.encoder_revision) == (encoder.name, encoder.revision)
    assert manifest.max_tokens == encoder.max_tokens


def test_no_passage_is_longer_than_the_encoder_reads(bench: Workbench) -> None:
    encoder = FakeEncoder()
    encoder.max_tokens = 40
    bench.ingest(encoder=encoder)
    live = bench.live()
    assert max(encoder.count_tokens(passage.text) for passage in live.passages) <= 40
    assert "Do not feed it in winter." in bench.texts()


@pytest.mark.parametrize("name", ["passages.jsonl", "manifest.json", "vectors.faiss"])
def test_a_damaged_index_is_made_anew(bench: Workbench, name: str) -> None:
    bench.ingest()
    before = bench.live().passages
    (bench.folder / "generations" / live_name(bench.folder) / name).write_bytes(b"rubbish")
    assert bench.ingest().is_changed
    assert bench.live().passages == before


def test_a_comment_in_guide_toml_is_taken_in_once(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.ingest()
    bench.write("guide.toml", 'title = "Caring for a House Plant"  # ours\n')
    assert bench.ingest().is_changed
    assert bench.encoded == []
    monkeypatch.setattr(build, "load_live", not_to_be_loaded)
    assert not bench.ingest().is_changed


def test_a_change_of_guide_toml_or_of_a_warning_sign_is_published_without_encoding(bench: Workbench) -> None:
    """Ensures that a page which reads only the index gets the new settings."""
    (bench.corpus / "signs").mkdir()
    signs = (ROOT / "bot" / "data" / "warning-signs" / "language.toml").read_text(encoding="utf-8")
    bench.write("signs/language.toml", signs)
    bench.ingest()
    bench.write("guide.toml", 'title = "Plants"\nwarning_signs = "signs"\ndisclaimer = "Ask a gardener."')
    assert bench.ingest().is_changed
    assert bench.encoded == []
    live = bench.live()
    assert (live.guide.title, live.guide.disclaimer) == ("Plants", "Ask a gardener.")
    assert live.signs.language.fillers
    bench.write("signs/language.toml", "")
    assert bench.ingest().is_changed
    assert bench.encoded == []
    assert live.signs != bench.live().signs


# --- documents that fail ---------------------------------------------------------------------------


@pytest.mark.parametrize("is_rebuild", [False, True])
def test_a_document_that_fails_keeps_its_earlier_passages_and_the_others_go_on(
    bench: Workbench, is_rebuild: bool
) -> None:
    bench.write("knives.md", OTHER)
    bench.ingest()
    before = bench.live()
    bench.write("knives.md", b"\x00\x01\x02" * 100)
    bench.write("plants.md", GUIDE.replace("once a week", "twice a week"))
    bench.write("new.md", "# New\n\nThis is a new guide with a sentence.\n")
    report = bench.ingest(is_rebuild=is_rebuild)
    assert states(report) == {
        "knives.md": DocumentState.FAILED,
        "new.md": DocumentState.ADDED,
        "plants.md": DocumentState.CHANGED,
    }
    failed = report_of(report, "knives.md")
    assert "knives.md" in failed.problem
    assert failed.problem.endswith(".")
    assert failed.kept == failed.passages == len([p for p in before.passages if p.source == "knives.md"])
    assert report.needs_attention
    live = bench.live()
    assert [p for p in live.passages if p.source == "knives.md"] == [
        p for p in before.passages if p.source == "knives.md"
    ]
    assert live.pages["knives.md"] == before.pages["knives.md"]
    assert "twice a week" in bench.texts("plants.md")
    assert "new guide" in bench.texts("new.md")


def test_a_document_that_brings_about_a_fault_of_the_program_fails_alone(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write("knives.md", OTHER)
    bench.ingest()
    bench.write("knives.md", OTHER.replace("twenty", "thirty"))
    bench.write("plants.md", GUIDE.replace("once a week", "twice a week"))

    def count(self: FakeEncoder, text: str) -> int:
        if "thirty" in text:
            raise TypeError("TextInputSequence must be str")
        return len(text.split())

    monkeypatch.setattr(FakeEncoder, "count_tokens", count)
    report = bench.ingest()
    assert states(report) == {"knives.md": DocumentState.FAILED, "plants.md": DocumentState.CHANGED}
    told = "knives.md cannot be read, for it brings about an error (TypeError in test_build.py, line "
    assert report_of(report, "knives.md").problem.startswith(told)
    assert "twenty degrees" in bench.texts("knives.md")
    assert "twice a week" in bench.texts("plants.md")


def test_an_encoder_that_cannot_measure_is_no_fault_of_a_document(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: FakeEncoder, text: str) -> int:
        raise EncoderError("The encoder's names are missing.")

    monkeypatch.setattr(FakeEncoder, "count_tokens", fail)
    with pytest.raises(EncoderError):
        bench.ingest()


def test_what_was_noted_of_a_document_without_passages_is_told(bench: Workbench) -> None:
    bench.write("title.md", "# Übung".encode("cp1252"))
    problem = report_of(bench.ingest(), "title.md").problem
    assert "gave no passage to answer from" in problem
    assert problem.endswith(
        "Note: it is not in UTF-8 and was read as Windows-1252; if its letters look wrong, save it as UTF-8."
    )


def test_a_document_that_fails_keeps_its_passages_also_under_another_encoder(bench: Workbench) -> None:
    bench.write("knives.md", OTHER)
    bench.ingest()
    bench.write("knives.md", b"")
    encoder = FakeEncoder()
    encoder.revision = "2"
    assert bench.ingest(encoder=encoder).needs_attention
    assert "twenty degrees" in bench.texts("knives.md")


def test_a_document_that_fails_again_and_again_is_reported_each_time(bench: Workbench) -> None:
    bench.write("broken.pdf", BROKEN)
    first, second = bench.ingest(), bench.ingest()
    for report in (first, second):
        assert states(report)["broken.pdf"] is DocumentState.FAILED
        assert report.needs_attention
        assert report_of(report, "broken.pdf").passages == 0
    assert not second.is_changed
    assert {p.source for p in bench.live().passages} == {"plants.md"}


def not_to_be_loaded(index_dir: Path) -> Generation:
    """Stand for loading the passages, which takes long where there are many."""
    raise AssertionError(index_dir)


@pytest.mark.parametrize("name", ["new.md", "knives.md", "broken.pdf"])
def test_where_nothing_but_a_failing_document_is_left_to_do_the_passages_are_not_loaded(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Ensures that the report is the same as that of the ingest which found the failure."""
    bench.write("knives.md", OTHER)
    bench.ingest()
    bench.write("copy.md", GUIDE)
    bench.write("plants.md", GUIDE)
    bench.write(name, BROKEN if name == "broken.pdf" else b"")
    with monkeypatch.context() as patch:
        patch.setattr(build, "_is_settled", lambda *args: False)
        whole = bench.ingest()
    monkeypatch.setattr(build, "load_live", not_to_be_loaded)
    report = bench.ingest()
    assert report_of(report, name).state is DocumentState.FAILED
    assert report_of(report, name).kept == (report_of(whole, name).kept if name == "knives.md" else 0)
    assert (report.read, report.is_changed, report.needs_attention) == (1, False, True)
    assert dataclasses.replace(report, seconds=0) == dataclasses.replace(whole, seconds=0)


def test_a_document_that_can_be_read_now_is_taken_in_though_its_bytes_are_the_same(bench: Workbench) -> None:
    locked = FPDF()
    locked.set_encryption("owner", SESAME)
    locked.add_page()
    locked.set_font("Helvetica", "", 11)
    locked.multi_cell(0, 6, "A blunt knife slips. Hold the blade at twenty degrees to the stone. " * 3)
    bench.write("locked.pdf", bytes(locked.output()))
    assert bench.ingest().needs_attention
    assert bench.ingest().needs_attention
    report = ingest([bench.corpus], bench.folder, password=SESAME, make_encoder=lambda name: FakeEncoder())
    assert states(report) == {"locked.pdf": DocumentState.ADDED, "plants.md": DocumentState.KEPT}
    assert report.read == 1


def test_a_mended_document_takes_its_place_again(bench: Workbench) -> None:
    bench.ingest()
    bench.write("plants.md", b"")
    assert bench.ingest().needs_attention
    bench.write("plants.md", GUIDE)
    report = bench.ingest()
    assert states(report) == {"plants.md": DocumentState.KEPT}
    assert not report.needs_attention


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" \n\t\n",
        b"\x00\xff" * 500,
        bytes(range(256)) * 8,
        b"---\n\n***\n",
        "🪴 🌵\n".encode(),
        b"# Only a heading\n",
    ],
    ids=["empty", "blank", "zeros", "bytes", "rules", "emoji", "heading"],
)
def test_a_corpus_without_text_is_an_error_that_names_the_file_and_takes_the_index_out_of_service(
    bench: Workbench, content: bytes
) -> None:
    bench.ingest()
    (bench.corpus / "plants.md").unlink()
    bench.write("nothing.md", content)
    with pytest.raises(DocumentError) as caught:
        bench.ingest()
    assert "nothing.md" in str(caught.value)
    assert "is out of service" in str(caught.value)
    with pytest.raises(IndexWithdrawnError):
        load_live(bench.folder)


def test_all_that_failed_is_named_where_nothing_could_be_read(bench: Workbench) -> None:
    (bench.corpus / "plants.md").unlink()
    bench.write("a.txt", b"")
    bench.write("b.pdf", BROKEN)
    with pytest.raises(DocumentError) as caught:
        bench.ingest()
    assert "a.txt" in str(caught.value)
    assert "b.pdf" in str(caught.value)


def test_a_file_that_cannot_be_read_is_named_alone(bench: Workbench, tmp_path: Path) -> None:
    word = tmp_path / "guide.xyz"
    word.write_text("Some text.")
    with pytest.raises(DocumentError, match=r"guide\.xyz is not of a kind that can be read"):
        bench.ingest(word, config=bench.corpus / "guide.toml")


# --- which files -----------------------------------------------------------------------------------


def test_an_empty_folder_is_an_error_that_says_which_files_are_read(bench: Workbench) -> None:
    (bench.corpus / "plants.md").unlink()
    with pytest.raises(DocumentError) as caught:
        bench.ingest()
    assert f"There is no document in {bench.corpus}; put a guide there (" in str(caught.value)
    assert ".pdf" in str(caught.value)
    assert not bench.folder.exists()


def test_a_missing_path_is_wrong_usage(bench: Workbench) -> None:
    for paths in ([bench.corpus / "missing.pdf"], [bench.corpus, bench.corpus / "no" / "folder"]):
        with pytest.raises(UsageError, match=r"There is no file or folder .*; give the path of a guide"):
            bench.ingest(*paths)


def test_hidden_files_readmes_and_what_is_no_document_are_passed_over(corpus: Path) -> None:
    names = ["b.MD", "a.txt", "sub/deeper/c.pdf", "README2.md", "Ünïcödé 🪴.md", "licenses.md"]
    passed_over = [
        ".hidden.md", "~$word.md", ".git/notes.md", ".venv/lib/top_level.txt", "sub/.cache/x.md",
        "README.md", "readme.txt", "sub/ReadMe.MD", "LICENSE.txt", "CHANGELOG.md",
        "notes.toml", "picture.png", "script.py", "noending", "md",
    ]  # fmt: skip
    for name in names + passed_over:
        (corpus / name).parent.mkdir(parents=True, exist_ok=True)
        (corpus / name).write_text("text")
    (corpus / "folder.md").mkdir()
    (corpus / "dangling.md").symlink_to(corpus / "gone.md")
    found = find_sources([corpus])
    assert list(found) == sorted([*names, "plants.md"])
    assert found["sub/deeper/c.pdf"] == corpus / "sub" / "deeper" / "c.pdf"


def test_a_document_of_a_kind_that_is_not_read_is_reported_with_the_reason(bench: Workbench) -> None:
    bench.write("guide.toml", 'title = "T"\nwarning_signs = "signs"\nevaluation = "questions.jsonl"')
    unread = ["old.doc", "b.RTF", "sub/c.odt", "d.epub"]
    passed_over = [
        ".hidden.doc", "~$old.doc", ".git/x.doc", "signs/sources.odt", "signs/a.toml", "questions.jsonl",
        "picture.png", "script.py", "noending", "data.csv", "README.rst", "plants.md~",
    ]  # fmt: skip
    for name in unread + passed_over:
        bench.write(name, b"")
    (bench.corpus / "folder.doc").mkdir()
    (bench.corpus / "dangling.md").symlink_to(bench.corpus / "gone.md")
    (bench.corpus / "dangling.png").symlink_to(bench.corpus / "gone.png")
    for _ in range(2):  # also where nothing has to be done
        report = bench.ingest()
        found = {d.source: d.problem for d in report.documents if d.state is DocumentState.UNREAD}
        assert sorted(found) == sorted([*unread, "dangling.md"])
        assert found.pop("dangling.md").startswith("this is a link to a file that is not there;")
        assert all(why.startswith("this kind of file is not read; save it as PDF") for why in found.values())
        assert list(states(report)) == sorted([*unread, "dangling.md", "plants.md"])
        assert not report.needs_attention


# macOS and Windows refuse to make such a file, so there is nothing to test there; on Linux it runs: .ci/run
# fails on a skip.
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a file's name is always text")
@pytest.mark.parametrize("name", [b"bad\xff.md", b"bad\xff/plants.md"])
def test_a_file_whose_name_is_not_utf_8_is_left_out_with_the_reason(bench: Workbench, name: bytes) -> None:
    path = bench.write(os.fsdecode(name), OTHER)
    report = bench.ingest()
    shown = name.decode("utf-8", "backslashreplace")
    assert states(report) == {"plants.md": DocumentState.ADDED, shown: DocumentState.UNREAD}
    told = "its name, or that of its folder, is not in UTF-8; rename it."
    assert report_of(report, shown).problem == told
    assert len(fingerprint([bench.corpus], None)) == 64
    if path.parent == bench.corpus:
        with pytest.raises(UsageError, match=r"The name of .*bad\\xff\.md is not in UTF-8; rename it\."):
            bench.ingest(path)
        path.rename(bench.corpus / "good.md")
        assert fingerprint([path], None) == fingerprint([path], None)  # also of a mistake that names it


def test_what_the_patterns_do_not_choose_is_not_mentioned(bench: Workbench) -> None:
    bench.write("guide.toml", 'title = "T"\nsources = ["plants.md", "more/*"]')
    bench.write("old.doc", b"")
    bench.write("more/new.doc", b"")
    assert list(states(bench.ingest())) == ["more/new.doc", "plants.md"]


def test_a_folder_with_nothing_but_what_is_not_read_is_told_so(bench: Workbench) -> None:
    (bench.corpus / "plants.md").rename(bench.corpus / "plants.doc")
    with pytest.raises(
        DocumentError, match=r"There is no document .* plants\.doc: this kind of file is not read"
    ):
        bench.ingest()


def test_a_file_that_is_named_is_read_whatever_its_name(corpus: Path) -> None:
    (corpus / "README.md").write_text("text")
    assert list(find_sources([corpus / "README.md"])) == ["README.md"]


def test_two_files_of_one_name_from_two_folders_are_wrong_usage(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "plants.md").write_text("text")
    with pytest.raises(UsageError) as caught:
        find_sources([corpus, tmp_path / "other"])
    message = str(caught.value)
    assert str(corpus / "plants.md") in message
    assert str(tmp_path / "other" / "plants.md") in message
    assert "would both be called plants.md; rename one" in message


def test_a_file_that_is_reached_twice_counts_once(corpus: Path) -> None:
    """Ensures that folders within each other and links make no passage twice."""
    (corpus / "sub").mkdir()
    (corpus / "sub" / "knives.md").write_text(OTHER)
    (corpus / "again.md").symlink_to(corpus / "sub" / "knives.md")
    assert len(find_sources([corpus])) == 2
    assert list(find_sources([corpus / "plants.md", corpus / "sub", corpus])) == ["knives.md", "plants.md"]
    assert list(find_sources([corpus / "plants.md", corpus / "plants.md"])) == ["plants.md"]


def test_patterns_choose_in_their_own_folder_and_nowhere_else(bench: Workbench, tmp_path: Path) -> None:
    bench.write("guide.toml", 'title = "T"\nsources = ["plants.md", "more/*.md"]')
    bench.write("draft.md", OTHER)
    bench.write("more/knives.md", OTHER)
    bench.write("more/README.md", OTHER)
    other = tmp_path / "other"
    other.mkdir()
    (other / "stones.md").write_text(OTHER.replace("Knife", "Axe"))
    report = bench.ingest(bench.corpus, other)
    assert list(states(report)) == ["more/knives.md", "plants.md", "stones.md"]
    report = bench.ingest(other, config=bench.corpus / "guide.toml")
    assert states(report)["stones.md"] is DocumentState.KEPT
    assert bench.ingest(bench.corpus / "draft.md").passages  # a file that is named is read


def test_patterns_hold_however_the_folder_is_written(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write("guide.toml", 'title = "T"\nsources = ["plants.md"]')
    bench.write("draft.md", OTHER)
    monkeypatch.chdir(bench.corpus)
    for path in (Path(), Path("../corpus"), bench.corpus / ".." / "corpus"):
        assert list(find_sources([path], ["plants.md"], bench.corpus.resolve())) == ["plants.md"]
        assert "draft.md" not in states(bench.ingest(path))


def test_patterns_that_find_nothing_are_named(bench: Workbench) -> None:
    bench.write("guide.toml", 'title = "T"\nsources = ["gude.pdf"]')
    with pytest.raises(
        DocumentError, match=r"mend the patterns in guide\.toml \(sources = \['gude\.pdf'\]\)"
    ):
        bench.ingest()


@pytest.mark.parametrize("pattern", ["/etc/*.txt", "../*.md", "sub/../../x.md", "**.md", ".", ""])
def test_patterns_that_leave_the_folder_are_a_mistake_in_guide_toml(bench: Workbench, pattern: str) -> None:
    bench.write("guide.toml", f'title = "T"\nsources = ["{pattern}"]')
    with pytest.raises((ConfigError, DocumentError)) as caught:
        bench.ingest()
    assert pattern in str(caught.value)


# --- which guide.toml ------------------------------------------------------------------------------


@pytest.fixture
def make_config(tmp_path: Path) -> Callable[[str], Path]:
    """Write a guide.toml with a title of its own somewhere else."""

    def make(title: str) -> Path:
        path = tmp_path / title / "guide.toml"
        path.parent.mkdir()
        path.write_text(f'title = "{title}"')
        return path

    return make


def test_the_folder_s_own_guide_toml_wins_over_the_fallback(
    bench: Workbench, make_config: Callable[[str], Path]
) -> None:
    fallback = make_config("fallback")
    bench.ingest(fallback_config=fallback)
    assert bench.live().guide.title == "Caring for a House Plant"
    bench.ingest(bench.corpus / "plants.md", fallback_config=fallback)
    assert bench.live().guide.title == "Caring for a House Plant"


def test_the_fallback_holds_where_the_folder_has_none(
    bench: Workbench, make_config: Callable[[str], Path]
) -> None:
    (bench.corpus / "guide.toml").unlink()
    bench.ingest(fallback_config=make_config("fallback"))
    assert bench.live().guide.title == "fallback"


def test_a_named_config_wins_over_both(bench: Workbench, make_config: Callable[[str], Path]) -> None:
    bench.ingest(config=make_config("named"), fallback_config=make_config("fallback"))
    assert bench.live().guide.title == "named"


def test_of_several_paths_the_first_with_a_guide_toml_decides(
    bench: Workbench, make_config: Callable[[str], Path]
) -> None:
    second = make_config("second")
    (second.parent / "knives.md").write_text(OTHER)
    bench.ingest(bench.corpus, second.parent)
    assert bench.live().guide.title == "Caring for a House Plant"
    (bench.corpus / "guide.toml").unlink()
    bench.ingest(bench.corpus, second.parent)
    assert bench.live().guide.title == "second"


def test_no_guide_toml_anywhere_says_what_to_write(bench: Workbench) -> None:
    (bench.corpus / "guide.toml").unlink()
    with pytest.raises(
        ConfigError, match=r"There is no guide\.toml in .* nor at .*; write one with a line title = "
    ):
        bench.ingest()


@pytest.mark.parametrize("named", ["missing.toml", "."])
def test_a_named_config_that_is_no_file_is_wrong_usage(bench: Workbench, named: str) -> None:
    with pytest.raises(UsageError, match=r"There is no file .*; give --config the path of a guide.toml"):
        bench.ingest(config=bench.corpus / named)


def test_an_error_in_guide_toml_names_the_file(bench: Workbench) -> None:
    path = bench.write("guide.toml", 'titel = "T"')
    with pytest.raises(ConfigError) as caught:
        bench.ingest()
    assert str(caught.value).startswith(f"{path}: the setting titel is not known; did you mean title?")


def test_guide_toml_may_begin_with_a_byte_order_mark(bench: Workbench) -> None:
    """Ensures that a file from a Windows editor is read."""
    bench.write("guide.toml", b'\xef\xbb\xbftitle = "Plants"\r\n')
    bench.ingest()
    assert bench.live().guide.title == "Plants"


@pytest.mark.parametrize("name", ["guide.toml", "signs/a.toml"])
def test_settings_that_are_not_utf_8_are_named(bench: Workbench, name: str) -> None:
    bench.write("guide.toml", 'title = "T"\nwarning_signs = "signs"')
    path = bench.write(name, 'title = "Pflänzchen"'.encode("cp1252"))
    with pytest.raises(ConfigError) as caught:
        bench.ingest()
    assert str(caught.value) == f"{path} is not UTF-8 text; save it as UTF-8."


def test_a_missing_folder_of_warning_signs_is_named(bench: Workbench) -> None:
    path = bench.write("guide.toml", 'title = "T"\nwarning_signs = "sings"')
    with pytest.raises(ConfigError) as caught:
        bench.ingest()
    assert str(caught.value).startswith(
        f"{path}: warning_signs names the folder {bench.corpus / 'sings'}, which"
    )


def test_an_error_in_a_warning_sign_file_names_it(bench: Workbench) -> None:
    bench.write("guide.toml", 'title = "T"\nwarning_signs = "signs"')
    bench.write("signs/a.toml", "nonsense = [")
    with pytest.raises(ConfigError, match=r"a\.toml is not valid TOML"):
        bench.ingest()
    assert not bench.folder.exists()


def test_an_unknown_encoder_in_guide_toml_is_an_error_and_leaves_the_index(bench: Workbench) -> None:
    bench.ingest()
    before = bench.live().name
    bench.write("guide.toml", 'title = "T"\nencoder = "no/such-model"')
    with pytest.raises(EncoderError, match="no/such-model"):
        ingest([bench.corpus], bench.folder, make_encoder=load_encoder)
    assert load_live(bench.folder).name == before


def test_the_encoder_that_guide_toml_names_is_asked_for(bench: Workbench) -> None:
    asked: list[str] = []

    def make(name: str) -> FakeEncoder:
        asked.append(name)
        return FakeEncoder()

    bench.write("guide.toml", 'title = "T"\nencoder = "models/mine"')
    ingest([bench.corpus], bench.folder, make_encoder=make)
    assert asked == ["models/mine"]


@pytest.mark.parametrize("named", ["models/mine", "../corpus/models/mine"])
def test_a_relative_path_of_an_encoder_is_relative_to_guide_toml(bench: Workbench, named: str) -> None:
    """Ensures that ingest and page find it wherever they are started."""
    asked: list[str] = []
    (bench.corpus / "models" / "mine").mkdir(parents=True)
    whole = str((bench.corpus / "models" / "mine").resolve())

    def make(name: str) -> FakeEncoder:
        asked.append(name)
        encoder = FakeEncoder()
        encoder.name = name
        return encoder

    bench.write("guide.toml", f'title = "T"\nencoder = "{named}"')
    ingest([bench.corpus], bench.folder, make_encoder=make)
    assert load_live(bench.folder).guide.encoder == whole
    assert not ingest([bench.corpus], bench.folder, make_encoder=make).is_changed
    assert asked == [whole, whole]


# --- documents of every kind -----------------------------------------------------------------------


DOCUMENTS: dict[str, tuple[str | bytes, str]] = {
    "emoji.md": (
        "# 🪴 Pots\n\nPut 🪴 into 🏺 and say 👩🏽 hello. It grows 🌱.\n",
        "🪴 into 🏺 and say 👩🏽 hello.",
    ),
    "german.txt": ("Rückengymnastik\n\nHeben Sie das Becken langsam. Halten Sie es.\n", "Becken langsam"),
    "japanese.md": ("# 腰痛\n\n毎日歩きます。膝を曲げて横になります。\n", "毎日歩きます。"),
    "hebrew.md": ("# גב\n\nלכו כל יום. נוחו בלילה.\n", "לכו כל יום."),
    "markup.md": (
        "# Tags\n\nWrite <script>alert(1)</script> and {{ x }} and $(rm -rf /) here.\n",
        "$(rm -rf /)",
    ),
    "windows.txt": ("Café stretches\r\n\r\nDrink a café and sit down.\r\n".encode("cp1252"), "Drink a café"),
    "separators.md": ("# Lines\n\nOne\u2028two and three\u2029four are words.\n", "are words."),
    "odd\u2028name.md": ("# Name\n\nThe name of this file is odd.\n", "file is odd."),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_of_any_language_and_content_are_quoted_from_their_page(
    bench: Workbench, name: str
) -> None:
    content, kept = DOCUMENTS[name]
    bench.write(name, content)
    report = bench.ingest()
    assert states(report)[name] is DocumentState.ADDED
    assert kept in bench.texts(name)


def test_a_very_long_document_is_ingested_whole(bench: Workbench) -> None:
    """Ensures that five megabytes, a sixth of a megabyte of them words, are no reason to fail."""
    paragraphs = [
        f"Paragraph {number} is about thing {number}, which matters to people who read this, because it says "
        "in a long sentence what should be done, in which order, and for how long, before anybody rests."
        for number in range(800)
    ]
    text = "\n\n".join(paragraphs) + "\n" + " \n" * 2_500_000 + "\nThe end of it all is here.\n"
    assert len(text) > 5_000_000
    bench.write("long.txt", text)
    report = bench.ingest()
    assert states(report)["long.txt"] is DocumentState.ADDED
    found = bench.texts("long.txt")
    assert all(f"Paragraph {number} is" in found for number in range(800))
    assert "The end of it all is here." in found


def test_the_real_guide_and_the_original_text_are_ingested_whole(tmp_path: Path) -> None:
    for path in (ROOT / "corpus", ORIGINAL):
        if not path.exists():
            continue
        bench = Workbench(path, tmp_path / path.stem)
        report = bench.ingest(fallback_config=ROOT / "corpus" / "guide.toml")
        assert not report.needs_attention
        assert len(report.documents) == 1
        assert len([p for p in bench.live().passages if p.kind == "faq"]) == 8


# --- watching --------------------------------------------------------------------------------------


def test_the_fingerprint_follows_all_that_an_ingest_reads_and_nothing_else(
    bench: Workbench, make_config: Callable[[str], Path]
) -> None:
    bench.write("guide.toml", 'title = "T"\nwarning_signs = "signs"')
    bench.write("signs/a.toml", "")
    fallback = make_config("fallback")
    index = bench.corpus / "index"  # an operator may put it there; it must not wake the watcher

    def taken() -> str:
        return fingerprint([bench.corpus], None, fallback)

    seen = {taken()}
    for name in ("plants.md", "guide.toml", "signs/a.toml", "new.txt"):
        text = (bench.corpus / name).read_text() if (bench.corpus / name).exists() else ""
        bench.write(name, text + "\n# more\n")
        assert taken() not in seen, name
        seen.add(taken())
    last = taken()
    for name in (".plants.md.swp", "plants.md~", "picture.png"):
        bench.write(name, "x")
    ingest([bench.corpus], index, make_encoder=lambda name: FakeEncoder())
    assert taken() == last
    (bench.corpus / "new.txt").unlink()
    assert taken() != last


def test_the_fingerprint_of_what_cannot_be_read_is_steady_and_ends_with_it(bench: Workbench) -> None:
    good = fingerprint([bench.corpus], None, Path("/nowhere"))
    text = (bench.corpus / "guide.toml").read_bytes()
    (bench.corpus / "guide.toml").write_text("titel = 1")
    bad = fingerprint([bench.corpus], None, Path("/nowhere"))
    assert bad == fingerprint([bench.corpus], None, Path("/nowhere")) != good
    (bench.corpus / "guide.toml").write_bytes(text)
    assert fingerprint([bench.corpus], None, Path("/nowhere")) != bad
    missing = fingerprint([bench.corpus / "missing"], None, Path("/nowhere"))
    assert missing == fingerprint([bench.corpus / "missing"], None, Path("/nowhere"))


def test_progress_is_told_from_the_first_to_the_last_of_each_stage(bench: Workbench) -> None:
    bench.write("knives.md", OTHER)
    told: list[tuple[str, int, int]] = []
    ingest(
        [bench.corpus],
        bench.folder,
        make_encoder=lambda name: FakeEncoder(),
        progress=lambda *step: told.append(step),
    )
    for what in ("reading", "encoding"):
        done = [step[1] for step in told if step[0] == what]
        assert done[0] == 0
        assert done == sorted(done)
        assert done[-1] == next(step[2] for step in told if step[0] == what)
