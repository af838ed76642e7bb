"""A release: a folder to hand over, signed as one, that can be checked without the repository and offline."""

import base64
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from selfsame.audit.card import model_card
from selfsame.audit.chain import audit_chain
from selfsame.audit.git import create_tag
from selfsame.audit.page import render_page
from selfsame.audit.questions import Case, answer_all
from selfsame.audit.records import Problem, read_lineage
from selfsame.audit.rows import WEIGHTS
from selfsame.audit.snapshot import Snapshot
from selfsame.audit.trust import RELEASE_WORD
from selfsame.audit.verify import Report
from selfsame.audit.walk import Walker
from selfsame.core.digests import files_under, sha256_file
from selfsame.core.errors import SelfsameError
from selfsame.observe.record import LINEAGE

MODEL = "model"
SUMS = "SHA256SUMS"
SIGNATURE = "model.sig"


def make_release(snapshot: Snapshot, artifact: Path, folder: Path, key: Path, tag: str | None = None) -> str:
    """Write and sign a release of a model; return its digest, the sha256 of its ``SHA256SUMS``.

    Args:
        key: PEM file of an elliptic-curve private key, kept outside of the repository.
        tag: anchor the digest in an annotated git tag of this name.

    Raises:
        SelfsameError: the chain has gaps, the folder is there already, or the key is no such key.
    """
    chain = audit_chain(artifact, snapshot)
    if chain["problems"]:
        raise SelfsameError(
            f"{artifact}: its chain has {len(chain['problems'])} problems, the first: "
            f"{Problem(**chain['problems'][0])}",
            "mend them first: what is handed over must lead back to the raw bytes",
        )
    if folder.exists():
        raise SelfsameError(f"{folder}: is there already", "name a folder that is not, or remove it")
    if key.resolve().is_relative_to(Path.cwd().resolve()):
        raise SelfsameError(f"{key}: a private key inside the repository", "move it to a place outside")
    case = Case(snapshot, artifact)
    answers = answer_all(case)
    partial = folder.with_name(f".partial-{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    for name, place in snapshot.files(artifact).items():
        target = partial / MODEL / Path(name).relative_to(_inside(artifact))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(place, target)
    for execution in chain["executions"]:
        target = partial / execution["record"]
        target.parent.mkdir(parents=True, exist_ok=True)
        content = snapshot.read(execution["record"]) or Path(execution["record"]).read_bytes()
        target.write_bytes(content)
    audit = chain | {"questions": [asdict(answer) for answer in answers]}
    _write(partial / "audit.json", json.dumps(audit, indent=2, ensure_ascii=False) + "\n")
    _write(partial / "audit.html", render_page(audit))
    _write(partial / "README.md", model_card(case, answers))
    names = sorted(file.relative_to(partial).as_posix() for file in files_under(partial))
    _write(partial / SUMS, "".join(f"{sha256_file(partial / name)}  {name}\n" for name in names))
    _sign(partial, key)
    partial.rename(folder)
    digest = sha256_file(folder / SUMS)
    if tag is not None:
        weights = sha256_file(folder / MODEL / WEIGHTS)
        create_tag(tag, f"{RELEASE_WORD} sha256:{digest} of {artifact}, weights sha256:{weights}")
    return digest


def is_release(folder: Path) -> bool:
    """Tell whether a folder is a release."""
    return (folder / SUMS).is_file()


def verify_release(folder: Path, key: Path) -> Report:
    """Check a release with the signer's public key: signature, every file's sum, every record and the chain.

    Raises:
        SelfsameError: ``key`` is no public key in PEM.
    """
    problems = _signature_problems(folder, key)
    expected = _read_sums(folder)
    names = {file.relative_to(folder).as_posix() for file in files_under(folder)} - {SIGNATURE, SUMS}
    for name in sorted(expected.keys() | names):
        found = sha256_file(folder / name) if name in names else "nothing"
        if found != expected.get(name):
            problems.append(_broken(f"{folder / name}", expected.get(name, "no such file"), found))
    records, broken = read_lineage(folder / LINEAGE)
    problems += broken
    model = {file: sha256_file(file) for file in files_under(folder / MODEL)}
    walker = Walker(records)
    trace = walker.trace({walker.known_name(str(file), digest): digest for file, digest in model.items()})
    made = {name for record in records for name in record.outputs}
    missing = [name for name in trace.gaps if name in made or name in map(str, model)]
    problems += [_broken(name, "a record of how it was made", "none of its sha256") for name in missing]
    checked = {
        "files": len(names),
        "records": len(records),
        "executions in the chain": len(trace.executions),
        "signatures": 1,
    }
    return Report(problems, checked)


def _signature_problems(folder: Path, key: Path) -> list[Problem]:
    _, verifying, hashing = _model_signing()
    try:
        verifier = verifying.Config().use_elliptic_key_verifier(public_key=key)
    except (OSError, ValueError) as error:
        raise SelfsameError(f"{key}: no public key in PEM: {error}", "ask the signer for it") from None
    path = folder / SIGNATURE
    own = hashing.Config().set_ignored_paths(paths=[path], ignore_git_paths=False)
    try:
        _require_canonical(path.read_bytes())
        verifier.set_hashing_config(own).verify(folder, path)
    except Exception as error:  # whatever is wrong with it, a signature that can't be checked is refused
        return [_broken(str(path), f"a signature of these files by {key.name}", _words(error))]
    return []


def _require_canonical(content: bytes) -> None:
    """Refuse a signature file that means the same in other bytes, so that no change to it goes unnoticed."""
    bundle = json.loads(content)
    envelope = bundle["dsseEnvelope"]
    if json.dumps(bundle, separators=(",", ":")).encode() != content:
        raise ValueError("its JSON is not as it was written")
    if set(bundle) != {"mediaType", "verificationMaterial", "dsseEnvelope"}:
        raise ValueError("unknown fields")
    if set(envelope) != {"payload", "payloadType", "signatures"} or len(envelope["signatures"]) != 1:
        raise ValueError("unknown fields in its envelope")
    (signature,) = envelope["signatures"]
    if set(signature) != {"sig", "keyid"} or signature["keyid"]:
        raise ValueError("unknown fields in its signature")
    material = bundle["verificationMaterial"]
    if set(material) != {"publicKey", "tlogEntries"} or set(material["publicKey"]) != {"hint"}:
        raise ValueError("unknown fields in its key")
    for text in (envelope["payload"], signature["sig"]):
        if base64.b64encode(base64.b64decode(text, validate=True)).decode() != text:
            raise ValueError("its base64 is not as it was written")


def _sign(folder: Path, key: Path) -> None:
    signing, _, hashing = _model_signing()
    try:
        config = signing.Config().use_elliptic_key_signer(private_key=key)
    except (OSError, ValueError, TypeError) as error:
        raise SelfsameError(
            f"{key}: no elliptic-curve private key in PEM: {error}",
            "make one with 'openssl ecparam -name prime256v1 -genkey -noout -out KEY.pem'",
        ) from None
    config.set_hashing_config(hashing.Config().set_ignored_paths(paths=[], ignore_git_paths=False))
    config.sign(folder, folder / SIGNATURE)


def _model_signing() -> tuple[Any, Any, Any]:
    """Return the modules signing, verifying, hashing of the one package that only releases need."""
    try:
        from model_signing import hashing, signing, verifying
    except ImportError as error:
        raise SelfsameError(
            f"releases need a package that is not here: {error}", "pip install 'selfsame[audit]'"
        ) from None
    return signing, verifying, hashing


def _read_sums(folder: Path) -> dict[str, str]:
    lines = (folder / SUMS).read_text(encoding="utf-8", errors="replace").splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _inside(artifact: Path) -> Path:
    absolute = artifact.absolute()
    return absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _words(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _broken(path: str, expected: str, found: str) -> Problem:
    return Problem("release", path, expected, found, "ask for the release again, from who signed it")
