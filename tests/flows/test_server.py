"""The server's garbage: an event loop that collects it itself waits for whoever waits for the event loop."""

import subprocess
import sys
from pathlib import Path

import pytest

# The first thread is an event loop in the midst of a transaction, the other one wants to write, too.
STANDSTILL = """
import sqlite3, sys, threading, time
from flows.server import collect_in_a_thread

def connect():
    return sqlite3.connect(sys.argv[1], isolation_level=None, check_same_thread=False, timeout=8)

if sys.argv[2] == "in a thread":
    collect_in_a_thread()
loop, other = connect(), connect()
loop.execute("PRAGMA journal_mode = WAL")
loop.execute("CREATE TABLE runs (name)")

class Garbage:
    def __init__(self):
        self.itself = self
        self.cursor = other.execute("SELECT 1 UNION SELECT 2")  # never read to its end

garbage = Garbage()
loop.execute("BEGIN IMMEDIATE")
loop.execute("INSERT INTO runs VALUES ('first')")

def write():
    try:
        other.execute("INSERT INTO runs VALUES ('second')")
        print("both wrote")
    except sqlite3.OperationalError as error:
        print(error)

thread = threading.Thread(target=write)
thread.start()
time.sleep(0.5)
del garbage
until = time.monotonic() + 2
while time.monotonic() < until:
    made = [[] for _ in range(1000)]
loop.execute("COMMIT")
thread.join()
"""


@pytest.mark.parametrize(
    ("collected", "said"), [("in a thread", "both wrote"), ("by whoever makes objects", "database is locked")]
)
def test_no_standstill(tmp_path: Path, collected: str, said: str) -> None:
    command = [sys.executable, "-c", STANDSTILL, str(tmp_path / "prefect.db"), collected]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == said
