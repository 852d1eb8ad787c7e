"""The composition root: who may reach the page, and what is said when it cannot be served."""

import socket
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

import app
from bot.chat import Bot, load_bot
from ingest import watch
from ingest.build import ingest
from ingest.index import live_name, load_live
from ingest.sources import fingerprint
from tests.conftest import GUIDE, FakeEncoder


class Launches:
    """Stands for the web server: keeps with what it was asked to serve."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int, str | None]] = []

    def __call__(
        self, page: object, host: str, port: int, password: str | None, before: Sequence[object]
    ) -> None:
        assert len(before) == 1  # the operator's page
        self.calls.append((host, port, password))


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake encoder wherever the app would load the real one."""

    def load(folder: Path) -> Bot:
        return load_bot(folder, FakeEncoder())

    monkeypatch.setattr(app, "ingest", partial(ingest, make_encoder=lambda name: FakeEncoder()))
    monkeypatch.setattr(app, "load_bot", load)


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> Launches:
    import bot.page  # noqa: PLC0415 - seconds to import, which the errors do not wait for

    served = Launches()
    monkeypatch.setattr(bot.page, "launch_page", served)
    return served


class Shell:
    """Runs the app in this process and keeps what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str], corpus: Path, folder: Path) -> None:
        self._capsys = capsys
        self.corpus, self.folder = corpus, folder
        self.out, self.err = "", ""

    def __call__(self, *words: object) -> int:
        argv = ["--corpus", str(self.corpus), "--index", str(self.folder), *map(str, words)]
        try:
            code = app.main(argv)
        except SystemExit as exc:  # how argparse ends
            code = int(exc.code or 0)
        self.out, self.err = self._capsys.readouterr()
        assert "Traceback" not in self.err
        return code


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], corpus: Path, tmp_path: Path) -> Shell:
    return Shell(capsys, corpus, tmp_path / "index")


def test_the_guide_is_ingested_and_the_page_served_to_this_machine_only(
    run: Shell, launches: Launches
) -> None:
    assert run() == 0
    assert launches.calls == [("127.0.0.1", 7860, None)]
    assert load_live(run.folder).passages
    assert "Caring for a House Plant: open http://127.0.0.1:7860 (Ctrl-C ends)" in run.out


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_addresses_of_this_machine_need_no_password(run: Shell, launches: Launches, host: str) -> None:
    assert run("--host", host, "--port", "8123") == 0
    assert launches.calls == [(host, 8123, None)]
    assert f"http://{f'[{host}]' if ':' in host else host}:8123" in run.out


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "", "localhost.example.org"])  # noqa: S104
def test_other_addresses_without_a_password_are_wrong_usage(run: Shell, host: str) -> None:
    assert run("--host", host) == 2
    assert run.err == (
        f"Listening on {host!r} lets others reach the page; give --password-file FILE with a password, "
        "or leave --host out.\n"
    )
    assert not run.folder.exists()  # told before any work


def test_other_addresses_are_served_with_the_password_of_the_file(
    run: Shell, launches: Launches, tmp_path: Path
) -> None:
    path = tmp_path / "password"
    path.write_text("  öpen sesame\n", encoding="utf-8")
    assert run("--host", "0.0.0.0", "--password-file", path) == 0  # noqa: S104
    assert launches.calls == [("0.0.0.0", 7860, "öpen sesame")]  # noqa: S104
    assert "sesame" not in run.out + run.err


def test_a_password_is_asked_for_on_this_machine_too_where_one_is_given(
    run: Shell, launches: Launches, tmp_path: Path
) -> None:
    path = tmp_path / "password"
    path.write_text("sesame")
    assert run("--password-file", path) == 0
    assert launches.calls == [("127.0.0.1", 7860, "sesame")]


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe\xff"])
def test_a_password_file_without_a_password_is_wrong_usage(
    run: Shell, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    assert run("--host", "192.168.1.5", "--password-file", path) == 2
    assert run.err.startswith(f"The password file {path} ")
    assert run.err.count("\n") == 1
    assert run("--password-file", tmp_path) == 2  # a folder


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "", "80.5", "1e3", "٨٠٨٠"])
def test_a_bad_port_is_wrong_usage(run: Shell, port: str) -> None:
    assert run(f"--port={port}") == 2
    assert f"a port is a whole number from 1 to 65535, found {port!r}" in run.err
    assert not run.folder.exists()


def test_an_unknown_option_is_wrong_usage(run: Shell) -> None:
    assert run("--no-such-option") == 2
    assert "--no-such-option" in run.err


def test_a_missing_corpus_is_wrong_usage(run: Shell, tmp_path: Path) -> None:
    run.corpus = tmp_path / "missing"
    assert run() == 2
    assert run.err.startswith(f"There is no file or folder {tmp_path / 'missing'}; give the path of a guide")


def test_without_an_index_no_ingest_names_the_command(run: Shell) -> None:
    assert run("--no-ingest") == 1
    assert run.err.startswith(
        f"There is no index in {run.folder}; run: python -m ingest PATH --index {run.folder} (PATH: "
    )


def test_no_ingest_answers_from_the_index_as_it_is(run: Shell, launches: Launches) -> None:
    run()
    before = live_name(run.folder)
    (run.corpus / "plants.md").write_text(GUIDE.replace("once a week", "twice a week"))
    assert run("--no-ingest") == 0
    assert live_name(run.folder) == before
    run.corpus = run.corpus / "missing"
    assert run("--no-ingest") == 0  # an index folder alone is enough
    assert len(launches.calls) == 3


def test_a_broken_guide_toml_exits_1_with_its_name(run: Shell) -> None:
    (run.corpus / "guide.toml").write_text("titel = 1")
    assert run() == 1
    assert run.err.startswith(f"{run.corpus / 'guide.toml'}: the setting titel is not known")


def test_an_index_path_that_is_a_file_is_one_sentence(run: Shell) -> None:
    run.folder.write_text("a file")
    assert run() == 2
    assert run.err.startswith(f"{run.folder} is a file, and the index needs a folder; ")
    assert run.err.count("\n") == 1


def test_a_document_that_fails_is_named_and_the_page_served(run: Shell, launches: Launches) -> None:
    (run.corpus / "empty.md").write_bytes(b"")
    assert run() == 0
    assert "empty.md: empty.md is an empty file" in run.err
    assert launches.calls


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def test_a_port_in_use_is_one_sentence(run: Shell, taken_port: int) -> None:
    """Ensures that the real web server's refusal is told, not shown as a traceback."""
    assert run("--port", taken_port) == 2
    assert str(taken_port) in run.err
    assert "in use" in run.err


def test_an_error_of_the_system_is_one_sentence(run: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied", "/somewhere/lock")

    monkeypatch.setattr(app, "ingest", refuse)
    assert run() == 1
    assert run.err.startswith("/somewhere/lock cannot be read or written: Permission denied.")
    assert run.err.count("\n") == 1


def test_ctrl_c_ends_without_an_error(run: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "ingest", interrupt)
    assert run() == 0
    assert run.err == ""


def test_watching_ingests_at_a_change_tells_mistakes_and_goes_on(
    run: Shell, launches: Launches, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watch, "WATCH_INTERVAL_S", 0.01)
    run()
    args = app._parser().parse_args(["--corpus", str(run.corpus), "--index", str(run.folder), "--watch"])
    before, store = fingerprint([run.corpus], None), app._store(args)
    (run.corpus / "plants.md").write_text(GUIDE.replace("once a week", "twice a week"))
    told: list[str] = []
    looks = 0

    def fail(*args: object, **options: object) -> None:
        monkeypatch.setattr(app, "ingest", partial(ingest, make_encoder=lambda name: FakeEncoder()))
        raise TypeError("a mistake of the program")

    def look(paths: list[Path], config: Path | None) -> str:
        nonlocal looks
        looks += 1
        if looks == 3:
            told.append("\n".join(passage.text for passage in load_live(run.folder).passages))
            (run.corpus / "guide.toml").write_text("titel = 1")
        elif looks == 7:
            monkeypatch.setattr(app, "ingest", fail)
            (run.corpus / "guide.toml").write_text('title = "Never seen"')
        elif looks == 11:
            (run.corpus / "guide.toml").write_text('title = "Plants"')
        elif looks == 15:
            raise KeyboardInterrupt
        return fingerprint(paths, config)

    monkeypatch.setattr(watch, "fingerprint", look)
    with pytest.raises(KeyboardInterrupt):
        app._watch(args, store, before)
    assert "twice a week" in told[0]
    assert store.job.report is not None  # shown to the operator
    assert store.job.report.generation == live_name(run.folder)
    assert load_live(run.folder).guide.title == "Plants"
    assert "a mistake of the program" in caplog.text


def test_a_port_in_use_is_told_before_any_work(run: Shell) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run("--port", str(port)) == 2
    assert f"port {port}" in run.err
    assert "--port" in run.err
    assert not run.folder.exists()
