"""What people attest beside the records: ``attestations/<sha256 of its own bytes>.json``, kept in git.

Each is an in-toto statement in a DSSE envelope: the receipt of an erasure, that
somebody rebuilt a model, or a timestamp of the records.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from selfsame.audit.records import Problem, Record
from selfsame.core.layout import ATTESTATIONS
from selfsame.dsse import ENVELOPE, open_envelope, signature_fault, wrap
from selfsame.git import ever, user_name
from selfsame.observe.forms import STATEMENT_TYPE

ERASURE_TYPE = "urn:selfsame:erasure:v1"
REBUILD_TYPE = "urn:selfsame:rebuild:v1"
TIMESTAMP_TYPE = "urn:selfsame:timestamp:v1"
TYPES = (ERASURE_TYPE, REBUILD_TYPE, TIMESTAMP_TYPE)
TAKE_BACK = "take it back: 'git log --diff-filter=D -- {}' names the commit before which it was there"


@dataclass(frozen=True)
class Attestation:
    """What one attestation says.

    Attributes:
        type: one of ``TYPES``.
        digests: sha256s of what it is about.
        said: its predicate, with ``by`` and ``on``: who and when.
    """

    path: Path
    type: str
    digests: frozenset[str]
    said: dict[str, Any]


def attest(kind: str, subject: dict[str, str], said: dict[str, Any], key: Path | None) -> Path:
    """Write an attestation; return its path.

    Args:
        subject: sha256 → name of what it is about.
        key: PEM file of the private key that signs it; None leaves it unsigned.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": digest}} for digest, name in subject.items()],
        "predicateType": kind,
        "predicate": {"by": user_name(), "on": now, **said},
    }
    envelope = wrap(json.dumps(statement, indent=2, ensure_ascii=False).encode(), key)
    content = json.dumps(envelope, indent=2).encode() + b"\n"
    path = ATTESTATIONS / f"{sha256(content).hexdigest()}.json"
    ATTESTATIONS.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def read_attestations() -> tuple[list[Attestation], list[Problem]]:
    """Read all, the first one first, and name what is none."""
    found, problems = [], []
    for path in sorted(ATTESTATIONS.glob("*")):
        content = path.read_bytes()
        try:
            found.append(_parse(path, content))
        except (ValueError, KeyError, TypeError) as error:
            fix = f"take it back from git: 'git restore {path}'"
            expected = "a whole attestation of its name"
            problems.append(Problem("record", path.as_posix(), expected, str(error), fix))
    return sorted(found, key=lambda each: (each.said["on"], each.path)), problems


def _parse(path: Path, content: bytes) -> Attestation:
    if (digest := sha256(content).hexdigest()) != path.stem:
        raise ValueError(f"sha256 {digest}")
    statement = json.loads(open_envelope(content)[0])
    kind, said = statement["predicateType"], statement["predicate"]
    if statement["_type"] != STATEMENT_TYPE or kind not in TYPES or not {"by", "on"} <= said.keys():
        raise ValueError(f"a statement of the type {kind}")
    digests = frozenset(each["digest"]["sha256"] for each in statement["subject"])
    return Attestation(path, kind, digests, said)


def unsigned_records(records: Iterable[Record], key: Path) -> Iterator[Problem]:
    """Name records that have no envelope signed by a key, or one of other bytes."""
    for record in records:
        path = record.path.with_suffix(ENVELOPE)
        try:
            content = path.read_bytes()
            same = open_envelope(content)[0] == record.path.read_bytes()
            fault = signature_fault(content, key) if same else "an envelope of other bytes"
        except (OSError, ValueError) as error:
            fault = str(error)
        if fault:
            fix = "'selfsame sign --key KEY.pem' by whoever has the key"
            yield Problem("record", path.as_posix(), f"the record, signed by {key}", fault, fix)


def rebuilds_of(weights: str | None) -> list[Attestation]:
    """Return what was attested of rebuilding the revision that has a model's weights."""
    found = read_attestations()[0]
    return [each for each in found if each.type == REBUILD_TYPE and weights in each.said["of"]]


def check_attestations(key: Path | None) -> Iterator[Problem]:
    """Name attestations that are no longer what they were, or not by whom they should be.

    Args:
        key: PEM file of the public key that must have signed them; None: whoever did is not asked.
    """
    found, problems = read_attestations()
    yield from problems
    for name, commit in ever("D", ATTESTATIONS.as_posix()).items():
        if not Path(name).exists():
            said = f"nothing since commit {commit.id[:12]} of {commit.author}"
            expected = "an attestation that was committed"
            yield Problem("history", name, expected, said, TAKE_BACK.format(name))
    for each in found if key else ():
        if key and (fault := signature_fault(each.path.read_bytes(), key)):
            yield Problem("record", each.path.as_posix(), f"a signature by {key}", fault, "ask who made it")
