import http.client
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from records import episode, various, write

from codefeedback_env import ConfigError
from codefeedback_env.viewer.index import EpisodeIndex
from codefeedback_env.viewer.server import ViewerServer


@pytest.fixture
def server(serve, records: Path):
    with serve(EpisodeIndex([write(records / "episodes.jsonl", various(5))])) as server:
        yield server


def ask(server: ViewerServer, path: str, method: str = "GET", **headers: str):
    """Status, headers and body of an answer."""
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=10)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, body


def json_of(server: ViewerServer, path: str) -> Any:
    status, _, body = ask(server, path)
    assert status == 200, body
    return json.loads(body)


def test_the_page_the_overview_and_each_record_are_served(server):
    status, headers, body = ask(server, "/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert body.startswith("<!doctype html>")
    assert len(json_of(server, "/overview")["rows"]) == 5
    assert json_of(server, "/episodes/4")["problem_id"] == "problem-0004"


def test_only_this_machine_can_connect(server):
    assert server.server_address[0] == "127.0.0.1"
    assert server.socket.family is socket.AF_INET


def test_every_answer_forbids_other_scripts_frames_and_sites(server):
    for path in ("/", "/overview", "/episodes/0", "/nothing"):
        headers = ask(server, path)[1]
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'sha2")
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers
        assert headers["Server"] == "codefeedback "


@pytest.mark.parametrize(
    "path",
    [
        *("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/episodes.jsonl"),
        *("/episodes/../server.py", "/static/page.js", "/episodes/", "/episodes/0/", "/episodes/x"),
        *("/episodes/-1", "/episodes/5", "/episodes/999999999999", "/episodes/9999999999999"),
        *("/episodes/%D9%A3", "/episodes/0%00", "/overview/"),
    ],
)
def test_no_path_but_those_served_gives_anything(server, path):
    status, _, body = ask(server, path)

    assert status == 404
    assert list(json.loads(body)) == ["error"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused(server, method):
    status, headers, body = ask(server, "/overview", method, Content_Length="0")

    assert (status, headers["Allow"]) == (405, "GET, HEAD")
    assert "only GET and HEAD" in json.loads(body)["error"]


def test_a_method_nobody_knows_is_refused(server):
    assert ask(server, "/overview", "BREW")[0] == 501


def test_head_has_the_headers_and_no_body(server):
    status, headers, body = ask(server, "/episodes/0", "HEAD")

    assert (status, body) == (200, "")
    assert int(headers["Content-Length"]) > 100


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(("localhost", 200), ("LOCALHOST:8642", 200), ("127.0.0.1:80", 200), ("[::1]:9", 200)),
        *(("evil.example", 403), ("localhost.evil.example", 403), ("127.0.0.1.evil.example", 403)),
        *(("", 403), ("localhost:evil", 403), ("10.0.0.1", 403), ("user@localhost", 403)),
    ],
)
def test_requests_under_another_name_than_this_machine_are_refused(server, host, status):
    # That is how a page of another site reaches a local server: by pointing its own name at it.
    for path in ("/", "/overview", "/episodes/0"):
        assert ask(server, path, Host=host)[0] == status


@pytest.mark.parametrize("query", ["first=x&generation=0", "first=1&generation=", "first=1.5"])
def test_a_query_that_is_no_number_is_refused(server, query):
    status, _, body = ask(server, f"/overview?{query}")

    # An empty value is left out of a query, and what is left out has a default.
    assert status == (200 if query.endswith("=") else 400), body


def test_what_was_appended_is_found_by_asking_for_more(server, records: Path):
    with (records / "episodes.jsonl").open("a") as file:
        file.write(episode("new").to_json() + "\n")

    assert len(json_of(server, "/overview")["rows"]) == 5  # a new page shows what is known
    more = json_of(server, "/overview?first=5&generation=0")
    assert (more["first"], len(more["rows"])) == (5, 1)
    assert json_of(server, "/episodes/5")["problem_id"] == "new"


def test_a_record_that_has_changed_is_an_error_that_says_so(server, records: Path):
    write(records / "episodes.jsonl", [episode("other")])

    status, _, body = ask(server, "/episodes/0")

    assert status == 409
    assert "has changed since it was read; refresh" in json.loads(body)["error"]
    assert json_of(server, "/overview?first=5&generation=0")["generation"] == 1


def test_a_browser_that_goes_away_leaves_no_traceback(server, capfd):
    for _ in range(3):
        with socket.create_connection(server.server_address[:2]) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    assert ask(server, "/")[0] == 200
    assert capfd.readouterr().err == ""


def test_a_port_in_use_is_an_error_that_says_what_to_do(server):
    port = server.server_address[1]

    with pytest.raises(ConfigError, match=rf"port {port} .* Give another --port \(0 takes any"):
        ViewerServer(server.index, port)
    for number in (-1, 65536):
        with pytest.raises(ConfigError, match=f"--port {number} must be from 0 to 65535"):
            ViewerServer(server.index, number)
