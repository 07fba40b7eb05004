"""How much one ingress takes on at once: requests at work, and bytes of the bodies that they brought."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import OverloadedError


class Admission:
    """Counts what is in flight.

    Args:
        max_requests: requests at work at the same time.
        max_bytes: bytes of raw bodies read or held at the same time.
    """

    def __init__(self, max_requests: int, max_bytes: int) -> None:
        self._max_requests, self._max_bytes = max_requests, max_bytes
        self.num_requests = 0
        self.num_bytes = 0

    @contextmanager
    def request(self, *, exempt: bool) -> Iterator[Held]:
        """Count a request for the time of the block, and with it what its body holds.

        Args:
            exempt: whether it is taken on however many others there are.

        Raises:
            OverloadedError: as many as may be are at work.
        """
        if not exempt and self.num_requests >= self._max_requests:
            raise OverloadedError(f"expected at most {self._max_requests} requests at the same time, got one more")
        counts = 0 if exempt else 1
        self.num_requests += counts
        held = Held(self)
        try:
            yield held
        finally:
            self.num_requests -= counts
            self.num_bytes -= held.num_bytes

    def take(self, num_bytes: int) -> None:
        """Count bytes.

        Raises:
            OverloadedError: together with those in flight they are too many.
        """
        if self.num_bytes + num_bytes > self._max_bytes:
            raise OverloadedError(f"expected bodies of at most {self._max_bytes} bytes together, got more")
        self.num_bytes += num_bytes


class Held:
    """The bytes that one request holds; they are given back when it ends."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.num_bytes = 0

    def add(self, num_bytes: int) -> None:
        """Hold more.

        Raises:
            OverloadedError: the ingress holds too much already.
        """
        self._admission.take(num_bytes)
        self.num_bytes += num_bytes
