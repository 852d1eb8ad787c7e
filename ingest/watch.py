"""Watching: one ingest at each change of the files, once they have come to rest.

What is run and how mistakes are told comes from the caller; here is only when, and that it goes on.
"""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from ingest.errors import GuideError, UsageError, explain_os_error
from ingest.sources import fingerprint

__all__ = ["follow"]

WATCH_INTERVAL_S = 1.0

logger = logging.getLogger(__name__)


def follow(
    paths: Sequence[Path],
    config: Path | None,
    run: Callable[[], object],
    tell: Callable[[str], object],
    done: str = "",
) -> NoReturn:
    """Run at each change of the files, once they have been still for an interval; never returns.

    :param tell: Takes one sentence on what went wrong.
    :param done: The state of the files (``fingerprint``) that needs no run; without one they are run at once.
    :raises UsageError: If the paths make no sense at the first run without a state before.
    """
    while True:
        now = fingerprint(paths, config)
        time.sleep(WATCH_INTERVAL_S)
        if now == done or now != fingerprint(paths, config):
            continue
        try:
            run()
        except GuideError as exc:
            if isinstance(exc, UsageError) and not done:
                raise
            tell(str(exc))
        except OSError as exc:
            tell(explain_os_error(exc))
        except Exception:  # whatever it is: it runs unattended, and nobody would notice that it ended
            # An old guide would stay in service. What went wrong is in the log; the next change is tried.
            logger.exception("The ingest failed by a fault of the program.")
        done = now
