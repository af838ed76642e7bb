"""DVC remotes of every kind on this machine: a folder, an S3 server, an SSH server."""

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

KINDS = ("folder", "s3", "ssh")
START_SECONDS = 120
BUCKET = "store"
SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
NEEDED = {"s3": ("dvc_s3", "moto", "flask"), "ssh": ("dvc_ssh",)}


@dataclass
class Store:
    """A remote.

    Attributes:
        settings: what ``dvc remote modify`` is told besides ``verify``.
        objects: where its files are, for a remote whose files are on this machine.
        s3: a client of its server, for one that is reached through S3.
    """

    address: str
    settings: dict[str, str] = field(default_factory=dict)
    objects: Path | None = None
    s3: Any = None

    def alter(self, md5: str) -> None:
        """Put other bytes in an object's place, as a failing disk or a stranger would."""
        name = f"files/md5/{md5[:2]}/{md5[2:]}"
        if self.objects is None:
            assert self.s3.head_object(Bucket=BUCKET, Key=name)
            self.s3.put_object(Bucket=BUCKET, Key=name, Body=b"altered")
            return
        file = self.objects / name
        file.chmod(0o600)
        file.write_bytes(b"altered")


@contextmanager
def make_store(kind: str, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Make a remote in ``folder``, with the server that it needs; skip where that isn't installed."""
    missing = [name for name in NEEDED.get(kind, ()) if find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: pip install -e '.[test,remotes-test]'")
    objects = folder / "store"
    if kind == "folder":
        yield Store(str(objects), objects=objects)
    elif kind == "s3":
        with _s3_server(folder, patch) as store:
            yield store
    else:
        with _ssh_server(folder, objects) as store:
            yield store


@contextmanager
def _s3_server(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Store]:
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patch.setenv(name, "anything")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE"):
        patch.delenv(name, raising=False)
    port = _free_port()
    with _running(folder, port, sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)):
        endpoint = f"http://127.0.0.1:{port}"
        client = boto3.client("s3", endpoint_url=endpoint)
        client.create_bucket(Bucket=BUCKET)
        yield Store(f"s3://{BUCKET}", {"endpointurl": endpoint}, s3=client)


@contextmanager
def _ssh_server(folder: Path, objects: Path) -> Iterator[Store]:
    if SSHD is None:
        pytest.skip("no sshd here: install Debian's openssh-server")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd of root insists on it
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    port = _free_port()
    (folder / "sshd.conf").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\nPidFile none\n"
        f"AuthorizedKeysFile {folder / 'user.pub'}\nPasswordAuthentication no\n"
        "StrictModes no\nUsePAM no\nSubsystem sftp internal-sftp\n"
    )
    with _running(folder, port, SSHD, "-D", "-e", "-f", str(folder / "sshd.conf")):
        address = f"ssh://{getpass.getuser()}@127.0.0.1:{port}{objects}"
        yield Store(address, {"keyfile": str(folder / "user")}, objects)


@contextmanager
def _running(folder: Path, port: int, *command: str) -> Iterator[None]:
    """Run a server for the length of a block, from when it takes connections."""
    log = folder / "server.log"
    with log.open("w") as file:
        server = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _listens(port):
            assert server.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield
    finally:
        server.terminate()
        server.wait()


def _listens(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
