"""What every transport hands in and gets back: answers, refusals, requests that were read."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Literal, Protocol

from sort_drift.ingest.batches import Block

Signal = Literal["traces", "logs", "metrics"]
Encoding = Literal["protobuf", "json"]

REASONS: Mapping[int, str] = {
    400: "malformed",
    401: "token",
    404: "path",
    405: "method",
    408: "slow",
    413: "size",
    415: "media type",
    499: "hung up",
    503: "overload",
}
"""HTTP status of what is refused -> reason on the board (499: the client was gone before the answer)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was made of a request that could be read."""

    accepted: int  # spans, log records or data points that are durable (metrics: used)
    rejected: int = 0
    message: str = ""  # of a partial success, or a warning; "": full success


class Refused(Exception):
    """A request that is not taken, as HTTP and gRPC say it; with ``retry_after_s`` clients come again."""

    def __init__(
        self, status: int, message: str, *, retry_after_s: float | None = None, field: str = ""
    ) -> None:
        super().__init__(message)
        self.status = status  # HTTP: 400, 401, 403, 404, 405, 408, 413, 415, 429, 503
        self.message = message
        self.retry_after_s = retry_after_s
        self.field = field  # of BadRequest: the path of what is wrong
        self.counted = False  # on the board


@dataclass(frozen=True, slots=True)
class Decoded:
    """A request that was read."""

    signal: Signal
    blocks: tuple[Block, ...]  # spans and log records that can be used
    spans: int  # in them
    rejected: int  # spans or log records that cannot
    why: str  # of the first of those, with its path; "": none
    unused: int = 0  # log records that belong to no span or have no name
    warning: str = ""  # of a request that was read without anything to keep


class Committed(Protocol):
    """What the committer says of one request: ``rejected`` spans came apart when they were made canonical."""

    rejected: int
    why: str


class Committer(Protocol):
    """Makes spans durable."""

    def submit(self, decoded: Decoded) -> Future[Committed]:
        """Take a request; the future has its outcome once it is on disk, or a ``Refused``."""
