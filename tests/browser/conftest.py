"""What the browser tests share: Chromium, a visitor who chats, and the real app as a subprocess."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "test-results"

PHONE = (390, 844)
LAPTOP = (1280, 800)

# A first start reads the guide and loads the encoder.
START_TIMEOUT_S = 240

# Chromium's own calls home, which are not the page's.
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]


@dataclass
class Visitor:
    """Someone who has the page open."""

    page: Page
    context: BrowserContext
    url: str
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self) -> None:
        """Open the page, or reload it."""
        self.page.goto(self.url)
        self.page.locator("#message textarea").wait_for()
        # The starter questions or the kept conversation come with the first answer of the server.
        self.page.locator("#chat .example, #chat [data-testid=bot]").first.wait_for()

    def say(self, message: str) -> str:
        """Type a message, send it by Enter and give the answer that is shown."""
        return self.answer_to(lambda: self._type(message))

    def answer_to(self, act: Callable[[], object]) -> str:
        """Do something that sends a message, and give the answer that is shown."""
        before = self.answers.count()
        act()
        expect(self.answers).to_have_count(before + 1, timeout=90_000)
        expect(self.answers.last).not_to_contain_text("Looking in the guide", timeout=90_000)
        return self.answers.last.inner_text()

    def _type(self, message: str) -> None:
        box = self.page.locator("#message textarea")
        box.fill(message)
        box.press("Enter")

    @property
    def answers(self) -> Locator:
        """All answers on the page."""
        return self.page.locator("#chat [data-testid=bot]")

    @property
    def questions(self) -> Locator:
        """All messages of the visitor on the page."""
        return self.page.locator("#chat [data-testid=user]")

    def picture(self, name: str) -> None:
        """Keep a screenshot for people to look at."""
        RESULTS.mkdir(exist_ok=True)
        self.page.wait_for_timeout(700)  # the scroll to the question has come to rest
        self.page.screenshot(path=RESULTS / f"{name}.png")

    @property
    def foreign_requests(self) -> list[str]:
        """What the page fetched from anyone but its own server."""
        return [url for url in self.requests if not url.startswith((self.url, "data:", "blob:"))]


Open = Callable[..., Visitor]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail('Chromium is not installed: install it, set CHROMIUM, or run with -m "not browser"')
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Open]:
    """Give a function that opens an address as a new person on a device of their own."""
    contexts: list[BrowserContext] = []

    def open_as_new_person(url: str, size: tuple[int, int] = LAPTOP, scheme: str = "light") -> Visitor:
        is_phone = size[0] < 640
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if scheme == "dark" else "light",
            device_scale_factor=2 if is_phone else 1,
            is_mobile=is_phone,
            has_touch=is_phone,
        )
        contexts.append(context)
        visitor = Visitor(context.new_page(), context, url)
        context.on("request", lambda request: visitor.requests.append(request.url))
        visitor.page.on("pageerror", lambda error: visitor.errors.append(str(error)))
        visitor.page.on(
            "console", lambda line: visitor.errors.append(line.text) if line.type == "error" else None
        )
        visitor.open()
        return visitor

    yield open_as_new_person
    for context in contexts:
        context.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(url: str, is_alive: Callable[[], bool] = lambda: True) -> None:
    """Wait until a server answers."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and is_alive():
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own address
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    pytest.fail(f"{url} did not answer.")


# Loaded by the app's interpreter at its start: notes and refuses each look-up and each connection that
# leaves this machine.
WATCHER = """
import os, sys

def note(line):
    with open(os.environ["WATCHER_LOG"], "a") as log:
        print(line, file=log)

def watch(event, arguments):
    if event == "socket.connect":
        host = arguments[1][0] if isinstance(arguments[1], tuple) else ""
    elif event == "socket.getaddrinfo":
        host = arguments[0] or ""
    else:
        return
    host = host.decode() if isinstance(host, bytes) else str(host)
    if host in ("", "localhost", "::1", "0.0.0.0") or host.startswith("127."):
        return
    note(f"{event} {host}")
    raise OSError("The test refuses connections that leave this machine.")

sys.addaudithook(watch)
note("watching")
"""


@dataclass
class App:
    """The real app, as an operator starts it."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """All that it prints."""
        return self.folder / "app.log"

    @property
    def connections(self) -> Path:
        """Its attempts to reach other machines."""
        return self.folder / "connections.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        watcher, scratch = self.folder / "watcher", self.folder / "tmp"
        for folder in (watcher, scratch):
            folder.mkdir(exist_ok=True)
        (watcher / "sitecustomize.py").write_text(WATCHER, encoding="utf-8")
        self.connections.touch()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "app.py", "--port", str(self.port), "--index", str(self.folder / "index")],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env={
                    **os.environ,
                    "PYTHONPATH": str(watcher),
                    "WATCHER_LOG": str(self.connections),
                    "TMPDIR": str(scratch),
                },
            )
        process = self.process
        wait_for(self.url, lambda: process.poll() is None)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=60)
            self.process = None


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    running = App(free_port(), tmp_path_factory.mktemp("app"))
    running.start()
    yield running
    running.stop()
