"""A release: a folder to hand over, signed as one, that can be checked without the repository and offline."""

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selfsame.audit.anchors import RELEASE_WORD
from selfsame.audit.card import model_card
from selfsame.audit.case import Case
from selfsame.audit.chain import audit_chain, format_verdict
from selfsame.audit.lineage import read_lineage
from selfsame.audit.page import render_page
from selfsame.audit.questions import answer_all, audit_document
from selfsame.audit.records import Problem
from selfsame.audit.signature import SIGNATURE, Identity, sign_folder, signature_fault
from selfsame.audit.snapshot import Snapshot
from selfsame.audit.verdict import Report, exit_status
from selfsame.audit.walk import Walker
from selfsame.core.digests import files_under, sha256_file
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import LINEAGE, RELEASE_MODEL, RELEASE_SUMS, WEIGHTS
from selfsame.git import committed_sha256s, git, resolve, tags_with


def make_release(
    snapshot: Snapshot,
    artifact: Path,
    folder: Path,
    key: Path | None,
    tag: str | None = None,
    sign_tag: bool = False,
    although: str | None = None,
    further: Callable[[Path], None] | None = None,
) -> str:
    """Write and sign a release of a model; return its digest, the sha256 of its ``SHA256SUMS``.

    Args:
        key: PEM file of an elliptic-curve private key, kept outside of the repository; None: by Sigstore.
        tag: anchor the digest in an annotated git tag of this name.
        sign_tag: sign that tag with the key that git has.
        although: the verdict, other than ``verified`` and ``unsigned``, that the release is made in spite of.
        further: writes into the folder, which holds the model, whatever else is to be signed with it.

    Raises:
        SelfsameError: the verdict on the chain is another, the folder is there, or it can't be signed.
    """
    case = Case(snapshot, artifact, release=tag or "")
    chain = audit_chain(case)
    if exit_status(chain["verdict"]) and chain["verdict"] != although:
        raise SelfsameError(
            f"{artifact}: {format_verdict(chain)}",
            "mend it first: what is handed over must lead back to the raw bytes; "
            f"or say that you know: --although {chain['verdict']}",
        )
    if folder.exists():
        raise SelfsameError(f"{folder}: is there already", "name a folder that is not, or remove it")
    if key is not None and key.resolve().is_relative_to(Path.cwd().resolve()):
        raise SelfsameError(f"{key}: a private key inside the repository", "move it to a place outside")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder.parent) as scratch:
        partial = Path(scratch) / folder.name
        _write_files(case, chain, partial, further)
        sign_folder(partial, key)
        partial.rename(folder)
    digest = sha256_file(folder / RELEASE_SUMS)
    if tag is not None:
        weights = sha256_file(folder / RELEASE_MODEL / WEIGHTS)
        message = f"{RELEASE_WORD} sha256:{digest} of {artifact}, weights sha256:{weights}"
        kind = "--sign" if sign_tag else "--annotate"
        git(
            "tag",
            kind,
            tag,
            "--message",
            message,
            fix="choose another name; a signature needs a key of git's",
        )
    return digest


def _write_files(
    case: Case, chain: dict[str, Any], folder: Path, further: Callable[[Path], None] | None
) -> None:
    """Write all of a release but its signature."""
    snapshot, artifact = case.snapshot, case.artifact
    for name, place in snapshot.files(artifact).items():
        target = folder / RELEASE_MODEL / Path(name).relative_to(_inside(artifact))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(place, target)
    if further is not None:
        further(folder)
    for execution in chain["executions"]:
        target = folder / execution["record"]
        target.parent.mkdir(parents=True, exist_ok=True)
        content = snapshot.read(execution["record"]) or Path(execution["record"]).read_bytes()
        target.write_bytes(content)
    answers = answer_all(case)
    audit = audit_document(case, chain, answers)
    _write(folder / "audit.json", json.dumps(audit, indent=2, ensure_ascii=False) + "\n")
    _write(folder / "audit.html", render_page(audit))
    _write(folder / "README.md", model_card(case, answers))
    names = sorted(file.relative_to(folder).as_posix() for file in files_under(folder))
    _write(folder / RELEASE_SUMS, "".join(f"{sha256_file(folder / name)}  {name}\n" for name in names))


def is_release(folder: Path) -> bool:
    """Tell whether a folder is a release."""
    return (folder / RELEASE_SUMS).is_file()


def verify_release(folder: Path, signer: Path | Identity) -> Report:
    """Check a release: signature, every file's sum, every record and the chain.

    Args:
        signer: PEM file of the public key, or the identity that signed by Sigstore.

    Raises:
        SelfsameError: the file is no public key, or Sigstore's roots of trust can't be fetched.
    """
    problems = []
    fault = signature_fault(folder, signer)
    if fault is not None:
        who = signer if isinstance(signer, Identity) else signer.name
        problems.append(_broken(str(folder / SIGNATURE), f"a signature of these files by {who}", fault))
    expected = _read_sums(folder)
    names = {file.relative_to(folder).as_posix() for file in files_under(folder)} - {SIGNATURE, RELEASE_SUMS}
    for name in sorted(expected.keys() | names):
        found = sha256_file(folder / name) if name in names else "nothing"
        if found != expected.get(name):
            problems.append(_broken(f"{folder / name}", expected.get(name, "no such file"), found))
    records, broken = read_lineage(folder / LINEAGE)
    problems += broken
    model = {file: sha256_file(file) for file in files_under(folder / RELEASE_MODEL)}
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


def held_against_tag(folder: Path, tag: str) -> list[Problem]:
    """Compare a release with the tag that anchors it, in the repository here.

    The tag's message must have the digest and the weights, and the commit that it stands at the records and,
    in its ``dvc.lock``, the model: a tag that was moved, or made anew for something else, hasn't.

    Raises:
        SelfsameError: there is no such tag, or its commit has no ``dvc.lock``.
    """
    digest = sha256_file(folder / RELEASE_SUMS)
    weights = sha256_file(folder / RELEASE_MODEL / WEIGHTS)
    message = next((each.message for each in tags_with(RELEASE_WORD) if each.name == tag), "no release's tag")
    problems = []
    if f"sha256:{digest} " not in message or f"weights sha256:{weights}" not in message:
        problems.append(
            _broken(f"tag {tag}", f"a message with sha256:{digest} and weights sha256:{weights}", message)
        )
    commit = resolve(tag)
    records = [path.relative_to(folder).as_posix() for path in files_under(folder / LINEAGE)]
    held = committed_sha256s(commit, records)
    lacking = [name for name in records if held.get(name) != Path(name).stem]
    if lacking:
        found = f"{len(lacking)} of them not, {lacking[0]} among them"
        problems.append(
            _broken(f"tag {tag}", f"the {len(records)} records of the release in its commit", found)
        )
    snapshot = Snapshot(tag)
    made = {digest for out in snapshot.outs.values() for digest in snapshot.recorded(out).values()}
    if weights not in made:
        found = f"commit {commit[:12]}, whose dvc.lock names other models"
        problems.append(_broken(f"tag {tag}", "a commit whose dvc.lock names the release's model", found))
    return problems


def _read_sums(folder: Path) -> dict[str, str]:
    lines = (folder / RELEASE_SUMS).read_text(encoding="utf-8", errors="replace").splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _inside(artifact: Path) -> Path:
    absolute = artifact.absolute()
    return absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _broken(path: str, expected: str, found: str) -> Problem:
    return Problem("release", path, expected, found, "ask for the release again, from who signed it")
