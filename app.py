"""Composition root: options -> index -> bot -> page -> launch."""

import argparse
import ipaddress
import logging
import os
import socket
import sys
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from bot.chat import load_bot
from bot.documents import Documents, Operator
from ingest.build import Progress, ingest
from ingest.errors import UsageError, run_command
from ingest.report import Report
from ingest.sources import fingerprint
from ingest.store import DocumentStore
from ingest.watch import follow

DEFAULT_PORT = 7860
MAX_PORT = 65535
Middleware: TypeAlias = tuple[type[Documents], tuple[()], dict[str, Any]]


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_PORT):
        raise argparse.ArgumentTypeError(f"a port is a whole number from 1 to {MAX_PORT}, found {text!r}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Serve the chat page; the guide is ingested first where needed."
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: this machine only)"
    )
    parser.add_argument(
        "--port", type=_port, default=DEFAULT_PORT, help=f"1 to 65535 (default: {DEFAULT_PORT})"
    )
    parser.add_argument(
        "--index", type=Path, default=Path(os.environ.get("GUIDE_INDEX", "index")), metavar="DIR"
    )
    parser.add_argument(
        "--corpus", type=Path, default=Path(os.environ.get("GUIDE_CORPUS", "corpus")), metavar="DIR"
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="a guide.toml that wins over the corpus's own"
    )
    parser.add_argument("--no-ingest", action="store_true", help="answer from the index as it is")
    parser.add_argument("--watch", action="store_true", help="ingest again when a file of the corpus changes")
    parser.add_argument(
        "--operator-password-file", type=Path, metavar="FILE",
        help="file with the password of who may change the documents at /documents; without it, only a "
        "browser on this machine may, and only while nobody else can reach the page",
    )  # fmt: skip
    parser.add_argument(
        "--password-file", type=Path, metavar="FILE",
        help="file with the password that visitors must give; needed for other addresses than this machine's",
    )  # fmt: skip
    return parser


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _password(args: argparse.Namespace) -> str | None:
    if args.password_file is None:
        if not _is_local(args.host):
            raise UsageError(
                f"Listening on {args.host!r} lets others reach the page; give --password-file FILE "
                "with a password, or leave --host out."
            )
        return None
    return _read_password(args.password_file)


def _read_password(path: Path) -> str:
    try:
        password = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"The password file {path} cannot be read as text.") from exc
    if not password:
        raise UsageError(f"The password file {path} is empty; write a password into it.")
    return password


def _store(args: argparse.Namespace) -> DocumentStore:
    """Make the folder of documents that the operator's page handles."""

    def run(is_forced: bool, progress: Progress) -> Report:
        return ingest([args.corpus], args.index, config=args.config, is_forced=is_forced, progress=progress)

    return DocumentStore(args.corpus, args.index, run, args.config)


def _bring_up_to_date(args: argparse.Namespace, store: DocumentStore) -> None:
    report = ingest([args.corpus], args.index, config=args.config)
    for document in report.documents:
        if document.problem:
            print(f"{document.source}: {document.problem}", file=sys.stderr)
    for loss in report.losses:
        print(f"lost: {loss}", file=sys.stderr)
    if report.is_held_back:
        print(
            "The new index is NOT live, for it answers worse; mend the documents, or run: "
            "python -m ingest PATH --force",
            file=sys.stderr,
        )
    store.note(report)


def _watch(args: argparse.Namespace, store: DocumentStore, done: str) -> NoReturn:
    """Ingest at each change of the corpus.

    :param done: The state of the corpus that the index holds.
    """
    tell = partial(print, file=sys.stderr)
    follow([args.corpus], args.config, lambda: _bring_up_to_date(args, store), tell, done)


def _check_address(host: str, port: int) -> None:
    """Refuse an address that cannot be had before any work is done."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            if os.name != "nt":  # there it would let two servers share the port
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as exc:
        raise UsageError(
            f"The page cannot be served on {host}, port {port}: {exc.strerror or exc}. "
            "Choose another port with --port, or another --host."
        ) from exc


def _run(args: argparse.Namespace) -> int:
    password = _password(args)
    secret = _read_password(args.operator_password_file) if args.operator_password_file else ""
    operator = Operator(_is_local(args.host), secret)
    _check_address(args.host, args.port)
    before = fingerprint([args.corpus], args.config)
    store = _store(args)
    if not args.no_ingest:
        _bring_up_to_date(args, store)
    bot = load_bot(args.index)
    bot.starters()  # loads the encoder now, so that the first visitor does not wait for it
    from bot.page import build_page, launch_page  # noqa: PLC0415 - seconds to import, not needed for an error

    if args.watch:
        threading.Thread(target=_watch, args=(args, store, before), daemon=True).start()
    host = f"[{args.host}]" if ":" in args.host else args.host
    print(f"{bot.title}: open http://{host}:{args.port} (Ctrl-C ends)", flush=True)
    desk: Middleware = (Documents, (), {"store": store, "operator": operator, "title": bot.title})
    is_shown = operator.is_server_local and not secret  # elsewhere its operator knows the address
    launch_page(build_page(bot, has_documents=is_shown), args.host, args.port, password, [desk])
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the page; returns the exit code."""
    args = _parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    return run_command(lambda: _run(args))


if __name__ == "__main__":
    sys.exit(main())
