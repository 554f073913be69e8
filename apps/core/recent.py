"""What was made at some cost and may be asked for again, within a bound of memory."""

import threading
from collections import OrderedDict
from collections.abc import Hashable


class RecentBytes:
    """Bytes by key; the ones not asked for longest are dropped where they become too many.

    A key names what the bytes were made from, so that they can never be out of date.
    """

    def __init__(self, limit: int) -> None:
        """Hold up to `limit` bytes in this process."""
        self._limit = limit
        self._size = 0
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> bytes | None:
        """Return what is kept, or None."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
        return found

    def put(self, key: Hashable, value: bytes) -> None:
        """Keep a value, unless it alone would take a quarter of the room."""
        if len(value) > self._limit // 4:
            return
        with self._lock:
            self._size += len(value) - len(self._kept.pop(key, b""))
            self._kept[key] = value
            while self._size > self._limit:
                self._size -= len(self._kept.popitem(last=False)[1])
