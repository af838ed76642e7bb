"""Fetching fresh data, from a server that counts what it is asked."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from selfsame.core.errors import PassingError, SelfsameError
from selfsame.operation.refresh import refresh, target_of


class Upstream(ThreadingHTTPServer):
    """A file that changes, served with marks or without."""

    content = b"first\n"
    marks: tuple[str, ...] = ("ETag",)
    status = 200
    cut = 0  # bytes missing at the end of an answer
    whole = 0  # answers that carried the file
    asked = 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/folder/table%20one.csv?version=3"

    def headers(self) -> dict[str, str]:
        written = {"ETag": f'"{hash(self.content)}"', "Last-Modified": "Fri, 20 Nov 2026 10:00:00 GMT"}
        return {name: written[name] for name in self.marks}


class Handler(BaseHTTPRequestHandler):
    server: Upstream

    def do_GET(self) -> None:
        upstream = self.server
        upstream.asked += 1
        asked = {"ETag": self.headers["If-None-Match"], "Last-Modified": self.headers["If-Modified-Since"]}
        same = any(asked[name] == value for name, value in upstream.headers().items())
        status = 304 if upstream.status == 200 and same else upstream.status
        body = upstream.content if status == 200 else b""
        upstream.whole += status == 200
        self.send_response(status)
        for name, value in {**upstream.headers(), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) - upstream.cut])

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    monkeypatch.chdir(tmp_path)
    with Upstream() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        YAML().dump(
            {"data": {"path": "inbox"}, "operation": {"refresh_url": server.url}}, Path("params.yaml")
        )
        yield server
        server.shutdown()


FILE = Path("inbox/table one.csv")


@pytest.mark.parametrize("mark", ["ETag", "Last-Modified"])
def test_what_has_not_changed_is_not_fetched_again(upstream: Upstream, mark: str) -> None:
    upstream.marks = (mark,)
    assert refresh().changed
    assert FILE.read_bytes() == b"first\n"
    before = FILE.stat()
    assert not refresh().changed
    assert (upstream.asked, upstream.whole) == (2, 1)
    assert FILE.stat() == before


def test_new_content_replaces_the_old(upstream: Upstream) -> None:
    refresh()
    upstream.content = b"second\n"
    assert refresh().changed
    assert FILE.read_bytes() == b"second\n"
    assert not refresh().changed
    assert upstream.whole == 2


def test_the_same_content_leaves_the_file_alone(upstream: Upstream) -> None:
    upstream.marks = ()
    refresh()
    before = FILE.stat()
    answer = refresh()
    assert not answer.changed and "the same content" in answer.message
    assert upstream.whole == 2
    assert FILE.stat() == before


def test_a_file_that_was_edited_or_lost_is_fetched_whole(upstream: Upstream) -> None:
    refresh()
    FILE.write_bytes(b"edited by hand\n")
    assert refresh().changed
    FILE.unlink()
    assert refresh().changed
    assert FILE.read_bytes() == b"first\n"


def test_half_an_answer_is_not_taken(upstream: Upstream) -> None:
    refresh()
    upstream.content, upstream.cut = b"a longer second\n", 3
    with pytest.raises(PassingError):
        refresh()
    assert FILE.read_bytes() == b"first\n"
    upstream.cut = 0
    assert refresh().changed


@pytest.mark.parametrize(("status", "passes"), [(404, False), (403, False), (503, True), (429, True)])
def test_only_what_may_pass_is_worth_another_try(upstream: Upstream, status: int, passes: bool) -> None:
    upstream.status = status
    with pytest.raises(SelfsameError, match=str(status)) as caught:
        refresh()
    assert isinstance(caught.value, PassingError) is passes


def test_a_server_that_is_away_may_come_back(upstream: Upstream) -> None:
    upstream.shutdown()
    upstream.server_close()
    with pytest.raises(PassingError, match=r"operation\.refresh_url"):
        refresh()


def test_without_an_address_there_is_nothing_to_refresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    YAML().dump({"data": {"path": "inbox"}}, Path("params.yaml"))
    with pytest.raises(SelfsameError, match=r"operation\.refresh_url is null"):
        refresh()


def test_where_it_goes(tmp_path: Path) -> None:
    assert target_of("https://example.org/a/b.csv?x=1", Path("inbox")) == Path("inbox/b.csv")
    assert target_of("https://example.org/", Path("inbox/rows.parquet")) == Path("inbox/rows.parquet")
    with pytest.raises(SelfsameError, match="names no file"):
        target_of("https://example.org/", Path("inbox"))
