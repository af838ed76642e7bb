"""A tiny MNIST, and a mirror of it on this machine."""

import gzip
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

ROWS = {"train": 300, "t10k": 60}


def idx_files() -> dict[str, bytes]:
    """Make four idx files as MNIST's, of random pixels: name → content."""
    random = np.random.default_rng(0)
    files = {}
    for part, rows in ROWS.items():
        images = random.integers(0, 256, (rows, 28, 28), dtype=np.uint8)
        labels = (np.arange(rows) % 10).astype(np.uint8)
        header = np.array([0x803, rows, 28, 28], ">u4").tobytes()
        files[f"{part}-images-idx3-ubyte"] = header + images.tobytes()
        files[f"{part}-labels-idx1-ubyte"] = np.array([0x801, rows], ">u4").tobytes() + labels.tobytes()
    return files


def digests(files: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


@dataclass(frozen=True)
class Answer:
    """One answer of a mirror; ``cut`` is how many of the announced bytes never come."""

    status: int = 200
    body: bytes = b""
    cut: int = 0


class Mirror:
    """What a mirror serves: each path's answers in turn, the last one from then on."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.answers = {
            f"{name}.gz": [Answer(body=gzip.compress(content))] for name, content in files.items()
        }

    def answer(self, path: str) -> Answer:
        name = path.rsplit("/", 1)[-1]
        self.asked.append(name)
        answers = self.answers.get(name, [Answer(404)])
        return answers.pop(0) if len(answers) > 1 else answers[0]


@contextmanager
def serve(files: dict[str, bytes]) -> Iterator[Mirror]:
    """Run a mirror for the length of a block."""
    mirror = Mirror(files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = mirror.answer(self.path)
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body[: len(answer.body) - answer.cut])

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    mirror.url = f"http://127.0.0.1:{server.server_port}/mnist/"
    try:
        yield mirror
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
