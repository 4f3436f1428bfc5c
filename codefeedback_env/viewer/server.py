"""A server on this machine alone that hands out the page and one record at a time."""

import json
import re
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from codefeedback_env.errors import ConfigError, RecordError
from codefeedback_env.viewer.index import EpisodeIndex
from codefeedback_env.viewer.page import content_security_policy, escaped_json, served_page

ADDRESS = "127.0.0.1"
MAX_PORT = 65535
_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
_RECORD = re.compile(r"/episodes/([0-9]{1,12})")
_JSON = "application/json"


class ViewerServer(ThreadingHTTPServer):
    """Serves an index; ``url`` is where."""

    daemon_threads = True

    def __init__(self, index: EpisodeIndex, port: int) -> None:
        """Opens the port, 0 for any that is free.

        Raises:
            ConfigError: the port cannot be had.
        """
        if not 0 <= port <= MAX_PORT:
            raise ConfigError(f"--port {port} must be from 0 to {MAX_PORT}.")
        self.index = index
        try:
            super().__init__((ADDRESS, port), _Handler)
        except OSError as error:
            raise ConfigError(
                f"port {port} of {ADDRESS} cannot be opened: {error.strerror}. Give another --port "
                "(0 takes any that is free), or stop what uses it."
            ) from error

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that closes a connection is no error to print."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # passed on

    @property
    def url(self) -> str:
        """The address for a browser."""
        return f"http://{ADDRESS}:{self.server_address[1]}/"


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD of three kinds of path; no part of a path ever names a file."""

    server: ViewerServer
    protocol_version = "HTTP/1.1"
    server_version = "codefeedback"
    sys_version = ""
    timeout = 60

    def do_GET(self) -> None:
        """The page, the overview or a record."""
        # A page of another site can point its own name at this machine; its requests carry it.
        if not _HOST.fullmatch(self.headers.get("Host", "")):
            self._refuse(HTTPStatus.FORBIDDEN, "open this server as localhost or 127.0.0.1.")
            return
        url = urlsplit(self.path)
        if url.path == "/":
            self._send(HTTPStatus.OK, "text/html; charset=utf-8", served_page())
        elif url.path == "/overview":
            self._overview(parse_qs(url.query))
        elif match := _RECORD.fullmatch(url.path):
            self._record(int(match[1]))
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing at this address.")

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """No request changes anything, so all other methods are refused."""
        self.close_connection = True  # what follows may be the body of the request
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD are served.")

    do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_POST

    def _overview(self, query: dict[str, list[str]]) -> None:
        """Rows from ``first`` on if the page's generation is the current one, else all."""
        index = self.server.index
        try:
            first, generation = (int(query.get(key, ["-1"])[0]) for key in ("first", "generation"))
        except ValueError:
            self._refuse(HTTPStatus.BAD_REQUEST, "first and generation must be integers.")
            return
        if first >= 0:  # the page has some already and asks for what is new
            try:
                index.refresh()
            except RecordError as error:
                self._refuse(HTTPStatus.CONFLICT, str(error))
                return
        self._send(HTTPStatus.OK, _JSON, escaped_json(index.overview(first, generation)))

    def _record(self, number: int) -> None:
        try:
            self._send(HTTPStatus.OK, _JSON, self.server.index.record(number))
        except IndexError:
            self._refuse(HTTPStatus.NOT_FOUND, f"there is no episode {number}; refresh the list.")
        except RecordError as error:
            self._refuse(HTTPStatus.CONFLICT, str(error))

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        self._send(status, _JSON, json.dumps({"error": message}))

    def _send(self, status: HTTPStatus, kind: str, text: str) -> None:
        body = text.encode("utf-8")
        policy = content_security_policy("'self'") + "; frame-ancestors 'none'"
        self.send_response(status)
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Content-Security-Policy": policy,
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = "GET, HEAD"
        if self.close_connection:
            headers["Connection"] = "close"
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the terminal belongs to the command."""
