"""What the servers on the loopback interface share: from the first request to the last open connection."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class Serving:
    """A context in which a handler answers on a free port; leaving it closes every connection and joins every
    thread, so that nothing of one test is left for the next one.

    Attributes:
        closing: set when the context is left; a handler that waits must wait for it.
    """

    def __init__(self, handler: type[Handler]) -> None:
        self.closing = threading.Event()
        self._server = _on_new_port(handler)
        self._server.owner = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def address(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()  # joins the threads of the connections


class Handler(BaseHTTPRequestHandler):
    """Speaks HTTP 1.1, says nothing in the terminal, and sends headers and body in one packet: two would each
    wait for an acknowledgement.
    """

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # the base class names it
        """Say nothing."""


def _on_new_port(handler: type[Handler]) -> _Server:
    """Return a server on a port that no earlier one of this process had: clients keep connections to it, and
    the first request through one that is dead has to be repeated.
    """
    while (server := _Server(("127.0.0.1", 0), handler)).server_port in _PORTS:
        server.server_close()
    _PORTS.add(server.server_port)
    return server


_PORTS: set[int] = set()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # or they would not be joined
    request_queue_size = 128
    owner: Any

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End the connections that clients keep for a next request, which nobody will answer."""
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:  # the client was faster
                    continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that hangs up is part of the tests."""
