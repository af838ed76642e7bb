"""``python -m MODULE`` and ``dvc`` that start at once: forked from a process that has their libraries loaded.

``bin_folder`` makes a folder with commands of these names, for the front of PATH. Each passes what it was
given (words, folder, environment, open streams) to the server, waits for the fork that does the work, passes
signals on and ends as that ended; if it is killed, the fork's group is. No module of the project is loaded
before the fork. What can't be done so (``python script.py``, ``python -c``) the real command does.
All forks have one hash seed, so sets of strings one order: ``compute_anew`` has another.
"""

import atexit
import gc
import marshal
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from importlib import import_module, invalidate_caches
from pathlib import Path
from typing import Any, NoReturn

SHARED = "SELFSAME_TESTS"  # folder that all processes of a test run share; its name ends in the first's id

BIN = Path(sys.executable).parent
# What a stage loads before it does anything, and what DVC and the command line load besides.
PRELOADED = ["torch", "torch._dynamo", "sklearn.datasets", "sklearn.decomposition", "sklearn.linear_model"]
PRELOADED += ["sklearn.svm", "matplotlib.pyplot", "matplotlib.backends.backend_svg", "PIL.features", "jinja2"]
PRELOADED += ["pyarrow.dataset", "pyarrow.parquet", "pyarrow.csv", "pydantic.main", "pydantic.type_adapter"]
PRELOADED += ["safetensors.torch", "ruamel.yaml"]
TOOLS = ["dvc.cli.parser", "dvc.repo", "dvc.data_cloud", "dvc_render", "networkx.algorithms", "scmrepo.git"]
TOOLS += [
    "dulwich.repo",
    "pygit2",
    "dvc.repo.reproduce",
    "dvc.repo.checkout",
    "dvc.repo.commit",
    "typer.testing",
]
START_SECONDS = 120
CLIENT = """#!{python} -IS
import marshal, os, signal, socket, sys
name, words = os.path.basename(sys.argv[0]), sys.argv[1:]
if name == "python" and words[:1] != ["-m"]:
    os.execv("{python}", ["{python}", *words])
server = socket.socket(socket.AF_UNIX)
server.connect("{folder}/" + ("stages" if words[1:] and words[1].startswith("tasks.") else "tools"))
asked = marshal.dumps((name, words, os.getcwd(), dict(os.environb)))
socket.send_fds(server, [len(asked).to_bytes(4, "big")], [0, 1, 2])
server.sendall(asked)
fork = int.from_bytes(server.recv(4, socket.MSG_WAITALL), "big")
for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(each, lambda number, _: os.kill(fork, number))
status = int.from_bytes(server.recv(4, socket.MSG_WAITALL) or b"\\xff" * 3 + b"\\xf7", "big", signed=True)
if status < 0:
    if status != -signal.SIGKILL:
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
os._exit(status)
"""


def bin_folder() -> Path:
    """Return the folder of the two commands, whose server the first of a test run's processes starts.

    Outside of a test run, and where processes have no descriptors, it is the folder of the real ones.
    """
    from selfsame.processes import lock

    if SHARED not in os.environ or not hasattr(os, "pidfd_open"):
        return BIN
    shared = Path(os.environ[SHARED])
    folder = shared / "bin"
    with (shared / "forked.lock").open("w") as file:
        lock(file)
        if not folder.exists():
            _start(shared)
            made = shared / "made"
            made.mkdir()
            for name in ("python", "dvc"):
                (made / name).write_text(CLIENT.format(python=sys.executable, folder=shared))
                (made / name).chmod(0o755)
            made.rename(folder)
    return folder


def _start(shared: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [sys.executable, __file__, str(shared), shared.name.rpartition("-")[2]]
    with (shared / "forked.log").open("w") as log:
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=environment
        )
    deadline = time.monotonic() + START_SECONDS
    while not all((shared / name).exists() for name in ("stages", "tools")):
        assert server.poll() is None and time.monotonic() < deadline, (shared / "forked.log").read_text()
        time.sleep(0.05)
    server.returncode = 0  # nobody waits for its end


class Server:
    """Forks for whoever connects to a socket, until the process with the id ``owner`` ends."""

    def __init__(self, place: Path, owner: int) -> None:
        self.place = place
        self.owner = os.pidfd_open(owner)
        self.listener = socket.socket(socket.AF_UNIX)
        self.clients: dict[
            int, tuple[int, socket.socket]
        ] = {}  # what tells of a fork's end → its id, its client

    def serve(self) -> None:
        early = self.place.with_name(f"{self.place.name}.early")
        self.listener.bind(str(early))
        self.listener.listen(100)
        early.rename(self.place)  # whoever sees it is heard
        while True:
            waiting = [self.owner, self.listener.fileno(), *self.clients]
            waiting += [client.fileno() for _, client in self.clients.values()]
            ready = set(select.select(waiting, [], [])[0])
            for ending, (fork, client) in list(self.clients.items()):
                if ending in ready:
                    status = os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1])
                    with suppress(OSError):
                        client.sendall(status.to_bytes(4, "big", signed=True))
                    os.close(ending)
                    client.close()
                    del self.clients[ending]
                elif client.fileno() in ready or self.owner in ready:  # it says no more: it was killed
                    with suppress(ProcessLookupError):
                        os.killpg(fork, signal.SIGKILL)
            if self.owner in ready:
                return
            if self.listener.fileno() in ready:
                self.accept()

    def accept(self) -> None:
        client, _ = self.listener.accept()
        head, streams, _, _ = socket.recv_fds(client, 4, 3)
        length = int.from_bytes(head, "big")
        asked = client.recv(length, socket.MSG_WAITALL)
        fork = os.fork()
        if fork == 0:
            os.setsid()
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
                os.close(stream)
            self.listener.close()
            client.close()
            for ending, (_, other) in self.clients.items():
                os.close(ending)
                other.close()
            _become(*marshal.loads(asked))
        for stream in streams:
            os.close(stream)
        client.sendall(fork.to_bytes(4, "big"))
        self.clients[os.pidfd_open(fork)] = (fork, client)


def _become(name: str, words: list[str], folder: str, environment: dict[bytes, bytes]) -> NoReturn:
    """Do in this process what the command would do, and end it."""
    os.chdir(folder)
    os.environ.clear()
    os.environb.update(environment)
    places = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    sys.executable = str(Path(sys.argv[1]) / "bin" / "python")  # for what it starts in its turn
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    if os.environ.get("PYTHONUNBUFFERED"):
        sys.stdout.reconfigure(write_through=True)
    invalidate_caches()
    code: Any = 0
    try:
        if name == "dvc":
            sys.path[:0] = [str(BIN), *places]
            sys.argv = [str(BIN / "dvc"), *words]
            runpy.run_path(sys.argv[0], run_name="__main__")
        else:
            sys.path[:0] = [folder, *places]
            sys.argv = words[1:]
            runpy._run_module_as_main(words[1])
    except SystemExit as end:
        code = end.code
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        code = -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    with suppress(BaseException):
        threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    if code and code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit((code or 0) & 255)


def main() -> None:
    shared, owner = Path(sys.argv[1]), int(sys.argv[2])
    sys.path.remove(str(Path(__file__).parent))
    for module in PRELOADED:
        import_module(module)
    gc.freeze()  # a fork that collects garbage would copy all that it looks at
    if os.fork() == 0:
        for module in TOOLS:
            import_module(module)
        gc.freeze()
        Server(shared / "tools", owner).serve()
    else:
        Server(shared / "stages", owner).serve()
    os._exit(0)


if __name__ == "__main__":
    main()
