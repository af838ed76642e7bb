"""Receipts of erasures: attestations that don't have the rows' ids, but the sha256 of each behind a salt.

Whoever has an id can ask whether and when it was erased.
"""

import secrets
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from selfsame.audit.attestations import ERASURE_TYPE, Attestation, attest, read_attestations
from selfsame.audit.records import Problem
from selfsame.audit.snapshot import Snapshot
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import ID


def read_receipts() -> list[Attestation]:
    """Read every receipt that is whole, the first one first."""
    return [each for each in read_attestations()[0] if each.type == ERASURE_TYPE]


def write_receipt(example_ids: Sequence[str], done: dict[str, Any], key: Path | None) -> Path:
    """Write the receipt of an erasure that was just done.

    Args:
        done: what was done.
        key: PEM file of the private key that signs it; None leaves it unsigned.
    """
    salt = next((each.said["salt"] for each in read_receipts()), secrets.token_hex(16))
    subject = {_token(salt, each): "an erased row" for each in example_ids}
    return attest(ERASURE_TYPE, subject, {"salt": salt, **done}, key)


def erased(example_id: str) -> Attestation | None:
    """Return the receipt of a row that was erased."""
    return next((each for each in read_receipts() if _is_of(each, example_id)), None)


def erased_words(receipt: Attestation) -> str:
    """Say it for a person."""
    return f"erased on {receipt.said['on']}: nothing here rests on it since; receipt {receipt.path}"


def returned(snapshot: Snapshot) -> Iterator[Problem]:
    """Name receipts of rows that the present examples have again."""
    receipts = read_receipts()
    try:
        table = snapshot.current.table("examples") if receipts else None
    except SelfsameError:  # nowhere any more, which is said elsewhere
        return
    ids = (each for chunk in table.chunks(ID) for each in chunk[ID].to_pylist()) if table else ()
    for example_id in ids:
        for receipt in receipts:
            if _is_of(receipt, example_id):
                expected = f"no row that was erased on {receipt.said['on']}"
                fix = "'selfsame erase' it again, and look where it came from"
                yield Problem("record", receipt.path.as_posix(), expected, "it is back in the examples", fix)


def _is_of(receipt: Attestation, example_id: str) -> bool:
    return _token(receipt.said["salt"], example_id) in receipt.digests


def _token(salt: str, example_id: str) -> str:
    return sha256(bytes.fromhex(salt) + example_id.encode()).hexdigest()
