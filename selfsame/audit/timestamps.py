"""RFC 3161 timestamps: an authority outside says that the records were there, as they are, at a time."""

import base64
import urllib.error
import urllib.request
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from selfsame.audit.attestations import TIMESTAMP_TYPE, attest, read_attestations
from selfsame.audit.history import CLOCKS
from selfsame.audit.records import Problem, Record
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import LINEAGE
from selfsame.observe.record import heads

QUERY, TIMEOUT_SECONDS = "application/timestamp-query", 30.0


def stamp(address: str, key: Path | None) -> Path:
    """Have an authority stamp the last records, which name all before them; return the attestation of it.

    Args:
        address: of the authority, for example ``https://freetsa.org/tsr``.
        key: PEM file of the private key that signs the attestation too; None leaves it unsigned.

    Raises:
        SelfsameError: there is no record, or the authority can't be reached or doesn't answer as it should.
    """
    client, last = _client(), heads(LINEAGE)
    if not last:
        raise SelfsameError(f"{LINEAGE}: no record to stamp", "run the pipeline first: 'dvc repro'")
    query = client.TimestampRequestBuilder().data(_message(last)).build()
    try:
        request = urllib.request.Request(address, query.as_bytes(), {"Content-Type": QUERY}, method="POST")
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            content = answer.read()
        response = client.decode_timestamp_response(content)
        if response.tst_info.nonce != query.nonce:
            raise ValueError("an answer to another question")
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise SelfsameError(
            f"{address}: no timestamp: {error}", "check the address and the network; nothing was written"
        ) from None
    said = {"authority": address, "response": base64.b64encode(content).decode()}
    return attest(TIMESTAMP_TYPE, dict.fromkeys(last, "a provenance record"), said, key)


def unstamped(records: Iterable[Record], lineage: Iterable[Record], roots: Path) -> Iterator[Problem]:
    """Name timestamps that don't hold, and records that none which holds is of.

    Args:
        records: those that must be stamped.
        lineage: all records.
        roots: PEM file of the certificates that the authorities' own are signed with.

    Raises:
        SelfsameError: the file holds no certificate.
    """
    known = {record.path.stem: record for record in lineage}
    stamped: dict[str, datetime] = {}
    for each in read_attestations()[0]:
        if each.type != TIMESTAMP_TYPE:
            continue
        try:
            moment = _moment(base64.b64decode(each.said["response"], validate=True), each.digests, roots)
        except (ValueError, KeyError) as error:
            fix = "'selfsame sign --timestamp URL' makes a new one; ask who made this one"
            yield Problem("record", each.path.as_posix(), "a timestamp of its records", str(error), fix)
            continue
        waiting = list(each.digests)
        while waiting:
            digest = waiting.pop()
            if digest in known and stamped.get(digest, moment) >= moment:
                stamped[digest] = moment
                waiting += [before for before in known[digest].previous if stamped.get(before) != moment]
    for record in records:
        found = stamped.get(record.path.stem)
        if found is None or found + CLOCKS < record.finished:
            words = f"one of {found.isoformat()}, before it ended" if found else "none"
            fix = "'selfsame sign --timestamp URL'"
            yield Problem("record", record.path.as_posix(), f"a timestamp by {roots}", words, fix)


def _moment(response: bytes, digests: Collection[str], roots: Path) -> datetime:
    """Return when these records were stamped.

    Raises:
        ValueError: it is no timestamp of them by an authority under these roots.
    """
    from cryptography.x509 import load_pem_x509_certificates

    client = _client()
    try:
        builder = client.VerifierBuilder()
        for certificate in load_pem_x509_certificates(roots.read_bytes()):
            builder = builder.add_root_certificate(certificate)
    except (OSError, ValueError) as error:
        raise SelfsameError(f"{roots}: no certificate in PEM: {error}", "ask the authority for it") from None
    token = client.decode_timestamp_response(response)
    try:
        builder.build().verify_message(token, _message(digests))
    except client.VerificationError as error:
        raise ValueError(str(error)) from None
    moment: datetime = token.tst_info.gen_time
    return moment


def _message(digests: Iterable[str]) -> bytes:
    return "\n".join(sorted(digests)).encode()


def _client() -> Any:
    try:
        import rfc3161_client
    except ImportError as error:
        raise SelfsameError(
            f"timestamps need a package that is not here: {error}", "pip install 'selfsame[audit]'"
        ) from None
    return rfc3161_client
