"""Records in signed envelopes, which a public library checks too."""

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from google.protobuf.json_format import Parse
from in_toto_attestation.v1.statement_pb2 import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey
from toy_project import Project

from selfsame.audit.timestamps import stamp
from selfsame.audit.verify import verify
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import LINEAGE
from selfsame.dag.commit import record_run, sign_records


def public_key(envelope: Envelope, public: Path) -> SSlibKey:
    (keyid,) = envelope.signatures
    key = SSlibKey.from_crypto(load_pem_public_key(public.read_bytes()), keyid, "ecdsa-sha2-nistp256")
    assert isinstance(key, SSlibKey)
    return key


def found(public: Path) -> list[tuple[str, str]]:
    return [(problem.kind, problem.found) for problem in verify(key=public).problems]


def test_signed_records_are_checked_here_and_by_securesystemslib(
    project: Project, signer: tuple[Path, Path], tmp_path: Path
) -> None:
    private, public = signer
    assert {kind for kind, _ in found(public)} == {"record"} and verify().problems == []
    assert sign_records(private) == 2 and sign_records(private) == 0
    project.commit()
    assert found(public) == []
    envelopes = sorted(LINEAGE.rglob("*.dsse"))
    for path in envelopes:
        envelope = Envelope.from_dict(json.loads(path.read_bytes()))
        assert envelope.verify([public_key(envelope, public)], 1)
        assert envelope.payload == path.with_suffix(".json").read_bytes()
        statement = Parse(envelope.payload, Statement())
        assert statement.predicate_type == "https://slsa.dev/provenance/v1" and statement.subject
    other = Envelope.from_dict(json.loads(envelopes[0].read_bytes()))
    other.payload += b" "
    with pytest.raises(VerificationError):
        other.verify([public_key(other, public)], 1)

    one, two = (path.read_bytes() for path in envelopes)
    stranger = tmp_path / "stranger.pem"
    making = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(stranger)]
    subprocess.run(making, check=True, capture_output=True)
    envelopes[0].unlink()
    assert sign_records(stranger) == 1
    forged = envelopes[0].read_bytes()
    for content, said in (
        (forged, "no signature by this key"),
        (two, "an envelope of other bytes"),
        (one.replace(b'"sig"', b'"gis"'), "no signature by this key"),
        (one.replace(b"payloadType", b"type"), "no envelope"),
        (None, "No such file"),
    ):
        envelopes[0].unlink() if content is None else envelopes[0].write_bytes(content)
        faults = [words for kind, words in found(public) if kind == "record"]
        assert len(faults) == 1 and said in faults[0], faults


def test_a_run_that_commits_signs_what_it_recorded(project: Project, signer: tuple[Path, Path]) -> None:
    branch = project.run("git", "symbolic-ref", "--short", "HEAD").strip()
    assert record_run([], branch, signer[0]).startswith("signed 2 records; committed")
    assert found(signer[1]) == []
    assert record_run([], branch, signer[0]) == "nothing new to record"


def test_a_wrong_key_is_said(project: Project, signer: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("no key")
    with pytest.raises(SelfsameError, match="no private key in PEM"):
        sign_records(tmp_path / "no.pem")
    sign_records(signer[0])
    with pytest.raises(SelfsameError, match="no public key in PEM"):
        verify(key=tmp_path / "no.pem")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A time stamping authority of OpenSSL's behind an address, and its certificate."""
    folder = tmp_path_factory.mktemp("authority")
    (folder / "serial").write_text("01\n")
    (folder / "tsa.cnf").write_text(AUTHORITY.format(folder=folder))

    def openssl(*arguments: str) -> None:
        subprocess.run(
            ["openssl", *arguments, "-config", "tsa.cnf"], cwd=folder, check=True, capture_output=True
        )

    openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.pem", "-days", "9"
    )

    class Server(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            (folder / "query").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            openssl("ts", "-reply", "-queryfile", "query", "-out", "reply")
            self.send_response(200)
            self.end_headers()
            self.wfile.write((folder / "reply").read_bytes() if self.path == "/tsr" else b"no stamp")

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/tsr", folder / "tsa.pem"
        server.shutdown()


AUTHORITY = """
[req]
distinguished_name = name
x509_extensions = stamping
prompt = no
[name]
CN = an authority
[stamping]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
subjectKeyIdentifier = hash
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256, sha512
"""


def stamped(certificate: Path) -> list[str]:
    return [f"{Path(problem.path).parts[0]}: {problem.found}" for problem in verify(tsa=certificate).problems]


def test_an_authority_stamps_the_records(
    project: Project, authority: tuple[str, Path], tmp_path: Path
) -> None:
    """The last record is stamped, and by it all that it names; a later one is not."""
    address, certificate = authority
    assert stamped(certificate) == ["lineage: none", "lineage: none"]
    path = stamp(address, None)
    project.commit()
    assert stamped(certificate) == [] == verify().problems
    assert verify(tsa=certificate).checked["attestations"] == 1
    project.set("title: first", "title: second")
    project.repro()
    project.commit()
    assert stamped(certificate) == ["lineage: none"]
    stamp(address, None)
    project.commit()
    assert stamped(certificate) == []
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"payload": "e', b'"payload": "f'))
    assert any(said.startswith("attestations: sha256") for said in stamped(certificate))
    path.write_bytes(content)
    for wrong, said in (
        (address.replace("tsr", "else"), "no timestamp"),
        ("http://127.0.0.1:9/", "no timestamp"),
    ):
        with pytest.raises(SelfsameError, match=said):
            stamp(wrong, None)
    stranger = tmp_path / "stranger.pem"
    other = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "/dev/null",
        "-subj",
        "/CN=x",
    ]
    subprocess.run([*other, "-out", str(stranger)], check=True, capture_output=True)
    assert len(stamped(stranger)) == 2 + 2  # neither timestamp holds, no record of the chain is stamped
    with pytest.raises(SelfsameError, match="no certificate in PEM"):
        verify(tsa=path)
