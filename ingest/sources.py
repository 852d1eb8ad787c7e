"""Which files an ingest reads and which configuration applies to them.

Takes the paths that were named, gives the documents by name and the :class:`Setup`: guide.toml and the
warning-sign files as they are. Nothing of a document is read here.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.config import GuideConfig, parse_config
from ingest.errors import ConfigError, GuideError, UsageError
from ingest.readers import SUPPORTED_SUFFIXES
from ingest.signs import parse_signs

__all__ = [
    "FALLBACK_CONFIG",
    "Setup",
    "check_paths",
    "find_sources",
    "find_unread",
    "fingerprint",
    "has_ignored_name",
    "read_setup",
]

FALLBACK_CONFIG = Path("corpus/guide.toml")  # for documents that have no guide.toml beside them
_IGNORED_NAMES = {"readme", "license", "changelog"}  # stems of files about a folder, not of a guide
# What people write documents in and no reader knows; a file of any other kind is taken for no document.
_UNREAD_SUFFIXES = {
    ".adoc", ".azw3", ".djvu", ".doc", ".docm", ".dot", ".dotx", ".epub", ".fb2", ".mht", ".mhtml", ".mobi",
    ".odp", ".ods", ".odt", ".org", ".ott", ".pages", ".ppt", ".pptx", ".ps", ".rst", ".rtf", ".tex",
    ".wpd", ".wps", ".xls", ".xlsx", ".xps",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Setup:
    """The configuration that applies, with the texts that travel in the generation.

    :param folder: Where guide.toml stands, absolute.
    """

    guide: GuideConfig
    guide_text: str
    folder: Path
    sign_texts: Mapping[str, str]


def _config_path(paths: Sequence[Path], config: Path | None, fallback: Path) -> Path | None:
    if config is not None:
        if not config.is_file():
            raise UsageError(f"There is no file {config}; give --config the path of a guide.toml.")
        return config
    for path in paths:
        own = (path if path.is_dir() else path.parent) / "guide.toml"
        if own.is_file():
            return own
    return fallback if fallback.is_file() else None


def _read_signs(guide: GuideConfig, folder: Path, name: str) -> dict[str, str]:
    if not guide.warning_signs:
        return {}
    signs = folder / guide.warning_signs
    if not signs.is_dir():
        raise ConfigError(
            f"{name}: warning_signs names the folder {signs}, which is not there; correct it or leave it out."
        )
    return {path.name: _read_text(path) for path in sorted(signs.glob("*.toml"))}


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # Windows editors begin a file with a byte order mark
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path} is not UTF-8 text; save it as UTF-8.") from exc
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read ({exc.strerror}); check its permissions.") from exc


def check_paths(paths: Sequence[Path]) -> None:
    """Check that what was named is there.

    :raises UsageError: If a path is not there.
    """
    for path in paths:
        if not path.exists():
            raise UsageError(
                f"There is no file or folder {path}; give the path of a guide or of a folder with guides."
            )


def _place_encoder(guide: GuideConfig, folder: Path) -> GuideConfig:
    """Give an encoder that is named by a path relative to guide.toml its whole path."""
    if guide.encoder and (folder / guide.encoder).is_dir():
        return replace(guide, encoder=str((folder / guide.encoder).resolve()))
    return guide


def read_setup(paths: Sequence[Path], config: Path | None, fallback: Path) -> Setup:
    """Read guide.toml and the warning-sign files.

    :param config: A guide.toml that wins over the folder's own.
    :param fallback: The guide.toml of documents that have none beside them.
    :raises UsageError: If there is no file ``config``.
    :raises ConfigError: If there is no guide.toml, or it or a warning-sign file is wrong.
    """
    path = _config_path(paths, config, fallback)
    if path is None:
        raise ConfigError(
            f'There is no guide.toml in {paths[0]} nor at {fallback}; write one with a line title = "...".'
        )
    text = _read_text(path)
    guide = _place_encoder(parse_config(text, str(path)), path.parent)
    sign_texts = _read_signs(guide, path.parent, str(path))
    parse_signs(sign_texts)
    return Setup(guide, text, path.parent.resolve(), sign_texts)


def _is_source(name: str, path: Path) -> bool:
    return path.suffix.lower() in SUPPORTED_SUFFIXES and _is_unicode(name) and path.is_file()


def _is_unicode(name: str) -> bool:
    """Tell whether a file's name can be written as text; on Linux it may be any bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _legible(name: str) -> str:
    """Give a file's name as text, with an escape for what is none."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _why_unread(name: str, path: Path) -> str:
    """Say why a document is not read; "" for one that is, and for what is no document."""
    suffix = path.suffix.lower()
    if suffix in SUPPORTED_SUFFIXES and path.is_file() and not _is_unicode(name):
        return "its name, or that of its folder, is not in UTF-8; rename it."
    if suffix in SUPPORTED_SUFFIXES and path.is_symlink() and not path.exists():
        return "this is a link to a file that is not there; mend it or take it away."
    if suffix in _UNREAD_SUFFIXES and not path.is_dir():
        return "this kind of file is not read; save it as PDF, Word (.docx), HTML, Markdown or plain text."
    return ""


def has_ignored_name(path: Path) -> bool:
    """Tell whether a file is passed over for its name: README, LICENSE and CHANGELOG tell of a folder."""
    return path.stem.lower() in _IGNORED_NAMES


def _is_passed_over(path: Path, folder: Path) -> bool:
    is_hidden = any(part.startswith((".", "~$")) for part in path.relative_to(folder).parts)
    return is_hidden or has_ignored_name(path)


def _names_files_below(pattern: str) -> bool:
    """Tell whether a pattern stays in its folder and is one that ``Path.glob`` takes."""
    path = Path(pattern)
    is_whole = all(part == "**" or "**" not in part for part in path.parts)
    return bool(path.parts) and not path.anchor and ".." not in path.parts and is_whole


def _list_folder(folder: Path, patterns: Sequence[str], pattern_folder: Path | None) -> dict[str, Path]:
    """List what the patterns choose in their own folder, everything in any other: name -> path."""
    is_home = pattern_folder is not None and folder.resolve() == pattern_folder
    files: set[Path] = set()
    for pattern in patterns if patterns and is_home else ("**/*",):
        if not _names_files_below(pattern):
            raise ConfigError(
                f"sources: the pattern {pattern!r} does not name files in {folder}; "
                'write it like "guide.pdf" or "chapters/*.md".'
            )
        files.update(file for file in folder.glob(pattern) if not _is_passed_over(file, folder))
    return {file.relative_to(folder).as_posix(): file for file in files}


def find_sources(
    paths: Sequence[Path], patterns: Sequence[str] = (), pattern_folder: Path | None = None
) -> dict[str, Path]:
    """List the documents to ingest: source name -> path, sorted.

    A source is named by its path inside the folder that was given, with forward slashes. Patterns
    hold only in the folder in which their guide.toml stands. A file that is reached twice (folders
    within each other, links) counts once.

    :raises UsageError: If a path is not there, a file that was named has a name that is not UTF-8, or two
        sources would have one name.
    :raises ConfigError: If a pattern cannot name a file in its folder.
    """
    check_paths(paths)
    found: dict[str, Path] = {}
    places: set[Path] = set()
    for path in paths:
        if path.is_file():
            if not _is_unicode(path.name):
                raise UsageError(f"The name of {_legible(str(path))} is not in UTF-8; rename it.")
            items = {path.name: path}
        else:
            listed = _list_folder(path, patterns, pattern_folder)
            items = {source: file for source, file in listed.items() if _is_source(source, file)}
        for source, file in sorted(items.items()):
            if file.resolve() in places:
                continue
            if source in found:
                raise UsageError(
                    f"{found[source]} and {file} would both be called {source}; "
                    "rename one, or ingest their common folder."
                )
            found[source] = file
            places.add(file.resolve())
    return dict(sorted(found.items()))


def find_unread(paths: Sequence[Path], setup: Setup) -> dict[str, str]:
    """List the documents in folders that are there and cannot be read: name -> why, and what to do."""
    named = setup.guide.warning_signs
    signs = (setup.folder / named).resolve() if named else None
    return {
        _legible(name): why
        for folder in paths
        if folder.is_dir()
        for name, file in _list_folder(folder, setup.guide.sources, setup.folder).items()
        if (why := _why_unread(name, file)) and (signs is None or signs not in file.resolve().parents)
    }


def fingerprint(paths: Sequence[Path], config: Path | None, fallback_config: Path = FALLBACK_CONFIG) -> str:
    """Tell one state of what an ingest would read from another by names, sizes and times, for ``--watch``."""
    try:
        own = _config_path(paths, config, fallback_config)
        files = [own] if own is not None else []
        patterns: tuple[str, ...] = ()
        if own is not None:
            guide = parse_config(_read_text(own), str(own))
            patterns = guide.sources
            if guide.warning_signs:
                files += sorted((own.parent / guide.warning_signs).glob("*.toml"))
        files += find_sources(paths, patterns, own.parent.resolve() if own is not None else None).values()
        stats = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    except (GuideError, OSError) as exc:  # an ingest would say the same, until it is mended
        return hashlib.sha256(repr(str(exc)).encode()).hexdigest()
    return hashlib.sha256(repr(stats).encode()).hexdigest()
