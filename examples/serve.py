"""Serve a model as ONNX over HTTP: rows go in as JSON, predictions come out.

    selfsame export onnx -o champion.onnx
    python examples/serve.py champion.onnx 8000
    curl http://127.0.0.1:8000                      # which columns, which classes, which model
    curl http://127.0.0.1:8000 -d '[{"island": "Dream", "bill_mm": 41.2, "mass_g": null, "banded": true}]'

It needs onnxruntime and numpy, and nothing of this project: copy it, and change it.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import onnxruntime

MOST_BYTES = 64 * 1024 * 1024  # of a request


class Served:
    """A model in memory; threads may share it."""

    def __init__(self, file: str) -> None:
        self.session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        facts = self.session.get_modelmeta().custom_metadata_map
        self.classes = json.loads(facts["classes"])
        self.columns = {each.name: each.type for each in self.session.get_inputs()}
        self.about = {"columns": self.columns, "classes": self.classes, "model": json.loads(facts["model"])}

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the prediction of every row; a missing value is null, a column's own name its key.

        Raises:
            ValueError: a column is missing, or a value is not of its kind.
        """
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError("give a list of rows, each an object with the columns as its keys")
        if not rows:
            return []
        fed = {name: self._column(rows, name, kind) for name, kind in self.columns.items()}
        names = [each.name for each in self.session.get_outputs()]
        made = dict(zip(names, self.session.run(names, fed), strict=True))
        if "value" in made:
            return [{"value": value} for value in made["value"].tolist()]
        return [
            {"label": label, "probabilities": dict(zip(self.classes, said, strict=True))}
            for label, said in zip(made["label"].tolist(), made["probabilities"].tolist(), strict=True)
        ]

    def _column(self, rows: Sequence[Mapping[str, Any]], name: str, kind: str) -> np.ndarray:
        lacking = [place for place, row in enumerate(rows) if name not in row]
        if lacking:
            raise ValueError(f"row {lacking[0]} lacks the column {name!r}; a missing value is null")
        values = [row[name] for row in rows]
        if kind == "tensor(uint8)":
            pixels = np.array(values)
            if not np.array_equal(pixels, pixels.astype(np.uint8)):
                raise ValueError(f"{name!r} takes whole numbers from 0 to 255")
            return pixels.astype(np.uint8)
        text = kind == "tensor(string)"
        for place, value in enumerate(values):
            if value is not None and isinstance(value, str) != text:
                raise ValueError(
                    f"row {place}: column {name!r} has {value!r}: no {'text' if text else 'number'}"
                )
        if text:
            return np.array([value or "" for value in values], object)[:, None]
        return np.array([np.nan if value is None else float(value) for value in values])[:, None]


def server(file: str, port: int) -> ThreadingHTTPServer:
    """Return a server of this machine alone; ``serve_forever`` starts it."""
    served = Served(file)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200, served.about)

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            if size > MOST_BYTES:
                self._answer(413, {"error": f"a request of {size} bytes; at most {MOST_BYTES}"})
                return
            try:
                self._answer(200, served.predict(json.loads(self.rfile.read(size))))
            except (ValueError, TypeError, OverflowError) as error:
                self._answer(400, {"error": str(error)})
            except Exception as error:  # an image of another size, which onnxruntime refuses in its own way
                self._answer(400, {"error": str(error).splitlines()[0]})

        def _answer(self, status: int, value: Any) -> None:
            content = json.dumps(value, ensure_ascii=False).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Write nothing of what is asked."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main() -> None:
    """Serve the file that the command line names."""
    made = server(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 8000)
    print(f"http://127.0.0.1:{made.server_port}")
    made.serve_forever()


if __name__ == "__main__":
    main()
