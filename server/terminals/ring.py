"""The last bytes of something endless, each with its place in the whole."""


class Ring:
    """Keeps up to `capacity` bytes. An offset counts from the very first byte there ever was."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._kept = bytearray()
        self.end = 0
        """The offset of the next byte to come."""

    @property
    def start(self) -> int:
        """The offset of the oldest byte that is kept."""
        return self.end - len(self._kept)

    def append(self, data: bytes) -> None:
        """Add bytes; the oldest ones give way."""
        self._kept += data
        self.end += len(data)
        if len(self._kept) > self._capacity:
            del self._kept[: len(self._kept) - self._capacity]

    def read(self, offset: int, limit: int) -> bytes:
        """Give at most `limit` bytes from `offset` on.

        Raises:
            ValueError: they are not kept any more, or have not come yet.
        """
        if not self.start <= offset <= self.end:
            raise ValueError(f"{offset} is not between {self.start} and {self.end}")
        first = offset - self.start
        return bytes(self._kept[first : first + limit])
