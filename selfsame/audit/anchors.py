"""What holds a chain in place from outside: the commits that its code is of, and who signed it."""

from collections.abc import Iterable, Iterator
from hashlib import sha256

from selfsame.audit.records import Problem, Record
from selfsame.git import Tag, committed_sha256s, tags_with, versions_of

RELEASE_WORD = "selfsame release"  # begins the message of a tag that anchors a release's digest


def loose_code(records: Iterable[Record], commit: str | None) -> Iterator[Problem]:
    """Name every file of code that ran and that no commit has.

    Args:
        commit: where the project is now.
    """
    fix = "commit the code that ran, or run the stage again with the committed one: 'dvc repro --force'"
    for record in records:
        own = record.git.get("commit")
        if own is None:
            found = f"none: {record.git.get('absent')}"
            yield Problem("code", record.path.as_posix(), "the commit that its code is of", found, fix)
            continue
        left = record.code | record.modules
        for anchor in dict.fromkeys(filter(None, (own, commit))):
            held = committed_sha256s(anchor, left) if left else {}
            left = {name: digest for name, digest in left.items() if held.get(name) != digest}
        for name, digest in left.items():
            if not any(sha256(content).hexdigest() == digest for _, content in versions_of(name)):
                found = f"sha256 {digest}, which {record.stage} ran on {record.started:%Y-%m-%d}"
                yield Problem("code", name, "code that a commit has", found, fix)


def anchors_of(weights: str | None) -> list[Tag]:
    """Return the tags that anchor a release of these weights."""
    return [tag for tag in tags_with(RELEASE_WORD) if weights and weights in tag.message]


def unsigned(weights: str | None) -> Iterator[Problem]:
    """Say so if no tag with a signature that git can check here anchors these weights."""
    tags = anchors_of(weights)
    if weights and not any(tag.valid for tag in tags):
        signed = [tag.name for tag in tags if tag.signed]
        found = f"a signature that git can't check here, of {', '.join(signed)}" if signed else "none"
        fix = "'selfsame release … --tag TAG --sign-tag' makes one; git must have the signer's key"
        yield Problem("signature", f"weights {weights}", "a signed tag that anchors them", found, fix)
