"""The ingest commands: exit codes, what is printed where, and no traceback."""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest import __main__ as command
from ingest import build, index, lock, sources, watch
from ingest.__main__ import main
from ingest.index import VectorIndex, live_name, load_live
from tests.conftest import GUIDE, ROOT, FakeEncoder

BROKEN = b"%PDF-1.4\nthis is the beginning of a file that was cut off"


@pytest.fixture(autouse=True)
def fake_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "load_encoder", lambda name: FakeEncoder())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "index"


class Shell:
    """Runs a command in this process and keeps what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out, self.err = "", ""

    def __call__(self, *argv: object) -> int:
        try:
            code = main([str(word) for word in argv])
        except SystemExit as exc:  # how argparse ends
            code = int(exc.code or 0)
        self.out, self.err = self._capsys.readouterr()
        assert "Traceback" not in self.err
        return code


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


# --- ingest ----------------------------------------------------------------------------------------


def test_an_ingest_reports_each_document_and_the_index_and_exits_0(
    run: Shell, corpus: Path, folder: Path
) -> None:
    assert run(corpus, "--index", folder) == 0
    live = load_live(folder)
    count = len(live.passages)
    assert f"plants.md: 1 page, {count} passages ({count} added, 0 changed, 0 kept, 0 removed)" in run.out
    assert f"Index {live.name} live: {count} passages, {len(live.views)} vectors" in run.out
    assert run.err == ""


def test_a_second_ingest_says_that_all_was_up_to_date(run: Shell, corpus: Path, folder: Path) -> None:
    run(corpus, "--index", folder)
    assert run(corpus, "--index", folder) == 0
    assert "was up to date" in run.out
    assert "(0 documents read, 0 texts encoded)" in run.out


def test_the_json_report_is_one_object_with_every_document(run: Shell, corpus: Path, folder: Path) -> None:
    (corpus / "broken.pdf").write_bytes(BROKEN)
    assert run(corpus, "--index", folder, "--json") == 1
    report = json.loads(run.out)
    live = load_live(folder)
    assert report["generation"] == live.name
    assert (report["passages"], report["views"]) == (len(live.passages), len(live.views))
    assert [(d["source"], d["state"]) for d in report["documents"]] == [
        ("broken.pdf", "failed"),
        ("plants.md", "added"),
    ]
    assert report["documents"][0]["problem"]
    assert report["is_changed"] is True


def test_a_document_that_fails_is_named_with_its_problem_and_exits_1(
    run: Shell, corpus: Path, folder: Path
) -> None:
    (corpus / "knives.md").write_text("# Knives\n\nHold the blade at an angle.\n")
    run(corpus, "--index", folder)
    (corpus / "knives.md").write_bytes(b"")
    assert run(corpus, "--index", folder) == 1
    assert "knives.md: FAILED; its 1 earlier passage is kept\n    knives.md is an empty file" in run.out


def test_a_removed_document_is_named_and_is_no_problem(run: Shell, corpus: Path, folder: Path) -> None:
    path = corpus / "knives.md"
    path.write_text("# Knives\n\nHold the blade at an angle.\n")
    run(corpus, "--index", folder)
    path.unlink()
    assert run(corpus, "--index", folder) == 0
    assert "knives.md: removed, 1 passage gone" in run.out


def test_a_document_that_is_not_read_is_left_out_with_the_reason(
    run: Shell, corpus: Path, folder: Path
) -> None:
    (corpus / "old.doc").write_bytes(b"x")
    assert run(corpus, "--index", folder) == 0
    assert "old.doc: left out, this kind of file is not read; save it as PDF, Word (.docx)" in run.out


def test_one_of_anything_is_told_in_the_singular(run: Shell, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "guide.md"
    path.write_text("# Guide\n\nUse pots.\n")
    (tmp_path / "guide.toml").write_text('title = "Guide"')
    assert run(path, "--index", folder) == 0
    live = live_name(folder)
    assert run.out.startswith(
        "guide.md: 1 page, 1 passage (1 added, 0 changed, 0 kept, 0 removed)\n"
        "    left out: title, 1 word in 1 place (first: 'Guide')\n"
        f"Index {live} live: 1 passage, 1 vector (1 document read, 1 text encoded), "
    )
    assert run("status", "--index", folder) == 0
    assert "guide.md: 1 page, 1 passage, sha256 " in run.out
    assert run.out.endswith("1 passage, 1 vector, 1 place left out\n")
    assert run("verify", "--index", folder) == 0
    assert "every quote of 1 passage is found in its page" in run.out


def test_what_was_left_out_is_reported(run: Shell, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "guide.md"
    path.write_text(
        "# Guide\n\n## Contents\n\n- Pots\n- Light\n\n## Pots\n\nUse pots.\n\n## Light\n\nLight it.\n"
    )
    assert run(path, "--index", folder, "--config", ROOT / "corpus" / "guide.toml") == 0
    live = load_live(folder)
    assert live.manifest.omissions
    for omission in live.manifest.omissions:
        assert f"left out: {omission.reason}" in run.out


def test_rebuild_encodes_everything_again(run: Shell, corpus: Path, folder: Path) -> None:
    run(corpus, "--index", folder, "--json")
    first = json.loads(run.out)["encoded"]
    run(corpus, "--index", folder, "--rebuild", "--json")
    assert json.loads(run.out)["encoded"] == first > 0


def test_the_environment_names_the_folders_where_the_command_does_not(
    run: Shell, corpus: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUIDE_CORPUS", str(corpus))
    monkeypatch.setenv("GUIDE_INDEX", str(folder))
    assert run() == 0
    assert load_live(folder).passages


# --- wrong usage and other mistakes ----------------------------------------------------------------


def is_sentence(text: str) -> bool:
    return (text.count("\n") == 1 and text[0].isupper()) or text.startswith("/")


def test_a_missing_folder_is_wrong_usage(run: Shell, corpus: Path, folder: Path) -> None:
    assert run(corpus / "missing", "--index", folder) == 2
    assert run.err.startswith(f"There is no file or folder {corpus / 'missing'}; give the path of a guide")
    assert is_sentence(run.err)
    assert run.out == ""


@pytest.mark.parametrize("words", [["--no-such-option"], ["--index"], ["status", "x"], ["--config", "x"]])
def test_unknown_and_incomplete_options_are_wrong_usage(run: Shell, folder: Path, words: list[str]) -> None:
    assert run(*words) == 2
    assert run.err
    assert run.out == ""


def test_an_index_path_that_is_a_file_is_named(run: Shell, corpus: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("a file")
    for path in (file, file / "below"):
        assert run(corpus, "--index", path) == 2
        assert is_sentence(run.err)
        assert run.err.startswith(f"{file} is a file, and the index needs a folder; give --index ")
    assert file.read_text() == "a file"
    assert run("status", "--index", file) == run("verify", "--index", file) == 1
    assert run.err.startswith(f"{file} is or lies in a file, and the index is a folder; give --index ")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            PermissionError(13, "Permission denied", "/somewhere/lock"),
            "/somewhere/lock cannot be read or written",
        ),
        (
            OSError(28, "No space left on device"),
            "A file cannot be written: No space left on device. Make",
        ),
    ],
)
def test_what_the_system_refuses_is_one_sentence(
    run: Shell, corpus: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, said: str
) -> None:
    def refuse(path: Path, data: bytes) -> str:
        raise error

    monkeypatch.setattr(index, "_write", refuse)
    assert run(corpus, "--index", corpus / "index") == 1
    assert said in run.err
    assert is_sentence(run.err)


@pytest.mark.parametrize("text", ["title = ", 'titel = "x"', "", 'title = "x"\nwarning_signs = "gone"'])
def test_a_broken_guide_toml_is_named_and_leaves_the_index(
    run: Shell, corpus: Path, folder: Path, text: str
) -> None:
    run(corpus, "--index", folder)
    before = live_name(folder)
    (corpus / "guide.toml").write_text(text)
    assert run(corpus, "--index", folder) == 1
    assert run.err.startswith(f"{corpus / 'guide.toml'}: ")
    assert live_name(folder) == before


def test_a_locked_index_is_named(
    run: Shell, corpus: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "LOCK_WAIT_S", 0.05)
    with lock.hold_lock(folder):
        assert run(corpus, "--index", folder) == 1
    assert run.err.startswith(f"Another ingest is writing to {folder} (process {os.getpid()} on ")


def test_an_empty_folder_exits_1(run: Shell, tmp_path: Path, folder: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty", "--index", folder, "--config", ROOT / "corpus" / "guide.toml") == 1
    assert run.err.startswith(f"There is no document in {tmp_path / 'empty'}; put a guide there (")
    assert "guide.toml" not in run.err  # the one that was named chooses among files of its own folder


def test_output_that_cannot_show_a_character_is_no_reason_to_fail(corpus: Path, folder: Path) -> None:
    """Ensures that a report with emoji can be written where the terminal knows only ASCII."""
    (corpus / "🪴.md").write_text(
        "# 🪴\n\n## Contents\n\n- Töpfe 🏺\n\n## Töpfe 🏺\n\nPut 🪴 in.\n", encoding="utf-8"
    )
    (corpus / "ü.md").write_bytes(b"")
    code = (
        "import sys; from tests.conftest import FakeEncoder; from ingest import __main__ as command\n"
        "command.load_encoder = lambda name: FakeEncoder()\n"
        f"words = [{str(corpus)!r}, '--index', {str(folder)!r}]\n"
        "sys.exit(10 * command.main(words) + command.main([*words, '--json']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    assert done.returncode == 11
    assert json.loads(done.stdout.splitlines()[-1])["documents"]


# --- status and verify -----------------------------------------------------------------------------


def test_status_says_what_the_index_holds(run: Shell, corpus: Path, folder: Path) -> None:
    run(corpus, "--index", folder)
    live = load_live(folder)
    assert run("status", "--index", folder) == 0
    assert f"generation {live.name}, made {live.manifest.created}" in run.out
    assert f"Encoder fake (1), dimension {live.manifest.dimension}" in run.out
    digest = hashlib.sha256(GUIDE.encode()).hexdigest()
    assert f"plants.md: 1 page, {len(live.passages)} passages, sha256 {digest[:12]}" in run.out
    assert run("status", "--index", folder, "--json") == 0
    status = json.loads(run.out)
    assert status["generation"] == live.name
    assert status["sources"][0]["sha256"] == digest
    assert status["passages"] == len(live.passages)


@pytest.mark.parametrize("name", ["status", "verify"])
def test_a_command_without_an_index_names_the_one_that_makes_it(
    run: Shell, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "none"
    assert run(name, "--index", folder) == 1
    assert run.err == (
        f"There is no index in {folder}; run: python -m ingest PATH --index {folder} "
        "(PATH: the folder of the guide)\n"
    )
    assert not folder.exists()


def test_verify_finds_a_whole_index_whole(run: Shell, corpus: Path, folder: Path) -> None:
    run(corpus, "--index", folder)
    assert run("verify", "--index", folder) == 0
    assert "every checksum is right, every quote" in run.out
    assert run("verify", "--index", folder, "--json") == 0
    assert json.loads(run.out) == {"generation": live_name(folder), "lost_quotes": []}


@pytest.mark.parametrize("name", ["status", "verify"])
def test_a_file_whose_checksum_is_wrong_is_found(run: Shell, corpus: Path, folder: Path, name: str) -> None:
    run(corpus, "--index", folder)
    path = folder / "generations" / live_name(folder) / "pages.jsonl"
    path.write_bytes(path.read_bytes().replace(b"once", b"ones"))
    assert run(name, "--index", folder) == 1
    assert run.out == ""
    assert f"{path} is damaged; run: python -m ingest PATH --rebuild --index {folder}" in run.err


@pytest.mark.parametrize("name", ["status", "verify"])
def test_a_damaged_manifest_is_named_with_the_command(
    run: Shell, corpus: Path, folder: Path, name: str
) -> None:
    run(corpus, "--index", folder)
    path = folder / "generations" / live_name(folder) / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"created": "20', b'"created": "XX'))
    assert run(name, "--index", folder) == 1
    assert f"{path} is damaged; run: python -m ingest PATH --rebuild --index {folder}" in run.err
    assert run.out == ""
    assert run(corpus, "--index", folder) == 0
    assert "was up to date" not in run.out
    assert run(name, "--index", folder) == 0


def forge(folder: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    """Change a file of the live generation and its checksum with it."""
    home = folder / "generations" / live_name(folder)
    data = change((home / name).read_bytes())
    (home / name).write_bytes(data)
    manifest = json.loads((home / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"][name] = hashlib.sha256(data).hexdigest()
    del manifest["checksum"]
    (home / "manifest.json").write_bytes(index._dump_manifest(manifest))


@pytest.mark.parametrize(
    "forgery",
    [
        ("pages.jsonl", b"once a week", b"ones a week", "Check the leaves once a week."),
        ("passages.jsonl", b"once a week", b"ones a week", "Check the leaves ones a week."),
        ("pages.jsonl", b"**Misting", b"**Mosting", "Misting"),
        ("pages.jsonl", b"I use coffee", b"I use toffee", "Can I use coffee grounds?"),
    ],
)
def test_verify_finds_a_quote_that_is_not_in_its_page_though_every_checksum_is_right(
    run: Shell, corpus: Path, folder: Path, forgery: tuple[str, bytes, bytes, str]
) -> None:
    name, old, new, lost = forgery
    run(corpus, "--index", folder)
    forge(folder, name, lambda data: data.replace(old, new))
    assert run("verify", "--index", folder) == 1
    assert f"plants.md page 1: not found again: {lost!r}" in run.out
    run("verify", "--index", folder, "--json")
    assert lost in json.loads(run.out)["lost_quotes"]


def test_verify_finds_a_vector_that_is_another_s(run: Shell, corpus: Path, folder: Path) -> None:
    run(corpus, "--index", folder)

    def swap(data: bytes) -> bytes:
        vectors = VectorIndex.from_bytes(data).vectors()
        return VectorIndex.build(vectors[::-1].copy()).to_bytes()

    forge(folder, "vectors.faiss", swap)
    assert run("verify", "--index", folder) == 1
    assert "is not what the encoder gives" in run.err
    assert "run: python -m ingest PATH --rebuild" in run.err


def test_verify_names_an_encoder_that_is_not_the_index_s(
    run: Shell, corpus: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(corpus, "--index", folder)
    other = FakeEncoder()
    other.revision = "2"
    monkeypatch.setattr(command, "load_encoder", lambda name: other)
    assert run("verify", "--index", folder) == 1
    assert "The index was built with encoder fake" in run.err


# --- watching --------------------------------------------------------------------------------------


def wait_for(is_done: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not is_done():
        assert time.monotonic() < end, "nothing happened in 60 seconds"
        time.sleep(0.01)


def test_watch_ingests_at_the_start_and_at_each_change_and_survives_mistakes(
    run: Shell,
    corpus: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(watch, "WATCH_INTERVAL_S", 0.01)
    stop = threading.Event()
    failures = []
    faults: list[Exception] = []
    real = sources.fingerprint

    def watched(paths: list[Path], config: Path | None) -> str:
        if stop.is_set():
            raise KeyboardInterrupt
        return real(paths, config)

    monkeypatch.setattr(watch, "fingerprint", watched)
    real_ingest = build.ingest

    def counted(*args: object, **options: object) -> object:
        if faults:
            raise faults.pop()
        try:
            return real_ingest(*args, **options)  # type: ignore[arg-type]
        except Exception as exc:
            failures.append(exc)
            raise

    monkeypatch.setattr(command, "ingest", counted)
    codes: list[int] = []
    watcher = threading.Thread(
        target=lambda: codes.append(run(corpus, "--index", folder, "--watch")), daemon=True
    )
    watcher.start()

    def holds(words: str) -> bool:
        if not (folder / "CURRENT").exists():
            return False
        return any(words in passage.text for passage in load_live(folder).passages)

    try:
        wait_for(lambda: holds("once a week"))
        (corpus / "plants.md").write_text(GUIDE.replace("once a week", "twice a week"))
        wait_for(lambda: holds("twice a week"))
        (corpus / "guide.toml").write_text("title = ")
        wait_for(lambda: len(failures) == 1)
        faults.append(TypeError("a mistake of the program"))
        (corpus / "guide.toml").write_text('title = "Never seen"')
        wait_for(lambda: not faults)
        (corpus / "guide.toml").write_text('title = "Plants"')
        wait_for(lambda: load_live(folder).guide.title == "Plants")
    finally:
        stop.set()
        watcher.join(60)
    assert codes == [0]
    assert len(failures) == 1  # told once, not at every look
    assert "this is not valid TOML" in run.err
    assert "a mistake of the program" in caplog.text


def test_watch_waits_for_a_file_that_is_still_being_written(
    run: Shell, corpus: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ensures that half a guide never goes live."""
    monkeypatch.setattr(watch, "WATCH_INTERVAL_S", 0.3)
    stop = threading.Event()
    seen: list[int] = []
    real = build.ingest

    def noted(*args: object, **options: object) -> object:
        seen.append((corpus / "plants.md").read_text().count("Paragraph"))
        return real(*args, **options)  # type: ignore[arg-type]

    def watched(paths: list[Path], config: Path | None) -> str:
        if stop.is_set():
            raise KeyboardInterrupt
        return sources.fingerprint(paths, config)

    monkeypatch.setattr(command, "ingest", noted)
    monkeypatch.setattr(watch, "fingerprint", watched)
    watcher = threading.Thread(target=lambda: run(corpus, "--index", folder, "--watch"), daemon=True)
    watcher.start()
    try:
        wait_for(lambda: seen == [0])
        with (corpus / "plants.md").open("w") as file:
            file.write("# Plants\n\n")
            for number in range(20):
                file.write(f"Paragraph {number} is about plants.\n\n")
                file.flush()
                time.sleep(0.05)
        wait_for(lambda: len(seen) == 2)
    finally:
        stop.set()
        watcher.join(60)
    assert seen == [0, 20]


def test_watching_a_missing_folder_is_wrong_usage(
    run: Shell, corpus: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "WATCH_INTERVAL_S", 0.01)
    assert run(corpus / "missing", "--index", folder, "--watch") == 2
    assert "There is no file or folder" in run.err
