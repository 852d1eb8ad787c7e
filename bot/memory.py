"""Results kept by the checksum of a text, so that a conversation is not worked out anew at every turn.

Nothing of the text itself is kept: what people write stays in their browser.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Generic, TypeVar

__all__ = ["Memory"]

T = TypeVar("T")


class Memory(Generic[T]):
    """Remembers results; when it is full it begins anew. May be used from several threads.

    :param size: How many results are kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: dict[bytes, T] = {}

    def get(self, text: str, make: Callable[[], T]) -> T:
        """Give the result for a text, made at the first time."""
        key = sha256(text.encode("utf-8", "surrogatepass")).digest()
        found = self._kept.get(key)
        if found is None:
            found = make()
            if len(self._kept) >= self._size:
                self._kept = {}
            self._kept[key] = found
        return found
