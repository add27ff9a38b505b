"""One POST to a webhook: to a checked address, verified, once, in bounded time, wherever it was sent to.

No redirect is followed, no proxy of the environment is used, and what the other side answers beyond its
status is not read.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from threading import Timer

from sort_drift import __version__
from sort_drift.live.outbound import addresses
from sort_drift.live.outbound.addresses import Target

TIMEOUT_S = 5.0
"""To connect, and between two pieces of an answer."""

DEADLINE_S = 15.0
"""Of all of it: a head that comes a byte at a time would never time out."""

_AGAIN = frozenset({408, 425, 429})
_LONGEST_WAIT_S = 300.0  # that another side may ask for


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a POST ended."""

    ok: bool = False
    reason: str = ""  # one of few, for a metric
    said: str = ""  # in words
    lasting: bool = False  # the same will be answered again: address or token are wrong
    wait_s: float = 0.0  # asked for by the other side


class _WrongPeerError(OSError):
    """The address that was connected to is none to send to."""


class _Checked(HTTPConnection):
    """A connection that looks at whom it has reached before it says anything, a TLS greeting included."""

    def __init__(self, target: Target) -> None:
        super().__init__(target.host, target.port, timeout=TIMEOUT_S)
        self._target = target
        self.late = False

    def connect(self) -> None:
        """Connect to the first address that may be sent to and answers."""
        self.sock = self._opened()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._target.scheme == "https":
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(
                self.sock, server_hostname=self.host, do_handshake_on_connect=False
            )
            self.sock.do_handshake()

    def _opened(self) -> socket.socket:
        failed: OSError = _WrongPeerError("nowhere")
        for *_, address in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM):
            try:
                self._look(str(address[0]))
                opened = socket.create_connection((str(address[0]), self.port), TIMEOUT_S)
            except OSError as error:
                failed = error
                continue
            try:
                self._look(str(opened.getpeername()[0]))
            except OSError:
                opened.close()
                raise
            return opened
        raise failed

    def _look(self, peer: str) -> None:
        if why := addresses.refused(peer, local=self._target.local):
            raise _WrongPeerError(why)

    def cut(self) -> None:
        """End it from another thread; a TLS socket's own ``shutdown`` would let go of what that one reads."""
        self.late = True
        if self.sock is not None:
            with suppress(OSError):  # closed meanwhile
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


def post(
    target: Target, body: bytes, *, token: str = "", headers: Mapping[str, str] | None = None
) -> Outcome:
    """Send ``body`` (JSON) and say how that ended; nothing is raised."""
    sent = {
        "Content-Type": "application/json",
        "User-Agent": f"sort-drift/{__version__}",
        "Connection": "close",
        **(headers or {}),
        **({"Authorization": f"Bearer {token}"} if token else {}),
    }
    connection = _Checked(target)
    late = Timer(DEADLINE_S, connection.cut)
    late.daemon = True
    late.start()
    try:
        connection.request("POST", target.path, body, sent)
        answer = connection.getresponse()
        if connection.late:  # a head that was cut counts as whole for http.client
            raise TimeoutError
        return _outcome(answer.status, answer.getheader("Retry-After", ""))
    except (OSError, HTTPException, ValueError) as error:
        return _failed(error, late=connection.late)
    finally:
        late.cancel()
        connection.close()


def _outcome(status: int, retry_after: str) -> Outcome:
    if 200 <= status < 300:
        return Outcome(ok=True)
    said = f"it answered {status}"
    if 300 <= status < 400:
        return Outcome(reason="redirect", said=f"{said}: redirects are not followed", lasting=True)
    again = status in _AGAIN or status >= 500
    wait = (
        min(float(retry_after), _LONGEST_WAIT_S) if retry_after.isascii() and retry_after.isdigit() else 0.0
    )
    return Outcome(reason=f"status {status // 100}xx", said=said, lasting=not again, wait_s=wait)


def _failed(error: Exception, *, late: bool) -> Outcome:
    """Put an error into one of few words; its own text may quote what the other side sent."""
    if isinstance(error, _WrongPeerError):
        return Outcome(reason="address", said=f"it is {error}")
    if late or isinstance(error, TimeoutError):
        return Outcome(reason="timeout", said="it does not answer in time")
    if isinstance(error, ssl.SSLCertVerificationError):
        return Outcome(reason="tls", said=f"its certificate is refused: {error.verify_message}")
    if isinstance(error, ssl.SSLError):
        return Outcome(reason="tls", said="TLS fails")
    if isinstance(error, socket.gaierror):
        return Outcome(reason="unreachable", said="its name is not known")
    if isinstance(error, HTTPException) and not isinstance(error, ConnectionError):
        return Outcome(reason="answer", said="its answer is not HTTP")
    why = getattr(error, "strerror", None) or "it hung up"
    return Outcome(reason="unreachable", said=f"it cannot be reached: {why}")
