"""A release holds what an auditor needs, is signed as one, and no byte of it can change unseen."""

import hashlib
import json
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from model_signing import signing, verifying
from project import Project
from sigstore.models import ClientTrustConfig
from sigstore.oidc import IdentityError

from selfsame.audit.case import Case
from selfsame.audit.questions import answer_all
from selfsame.audit.release import held_against_tag, make_release, verify_release
from selfsame.audit.signature import Identity
from selfsame.audit.snapshot import Snapshot
from selfsame.core.errors import SelfsameError

CHAMPION = Path("models/champion")
FLIPS = 40
SOMEONE = Identity("someone@example.com", "https://accounts.example.com")


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A key pair, made with the commands of the auditor's guide."""
    folder = tmp_path_factory.mktemp("keys")
    private, public = folder / "signer.pem", folder / "signer.pub"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(private))
    openssl("ec", "-in", str(private), "-pubout", "-out", str(public))
    return private, public


@pytest.fixture(scope="module")
def released(
    finished_real: Project, keys: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("handed") / "release"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(finished_real.root)
        make_release(Snapshot(), CHAMPION, folder, keys[0])
    return folder


@pytest.fixture
def copy(released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The release alone, in a place without a repository."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(released, tmp_path / "handed over"))


def test_a_release_holds_model_card_records_and_audit(copy: Path, finished_real: Project) -> None:
    for name in ("model.safetensors", "config.json"):
        assert (copy / "model" / name).read_bytes() == (finished_real.root / CHAMPION / name).read_bytes()
    audit = json.loads((copy / "audit.json").read_text())
    assert {each["record"] for each in audit["executions"]} == {
        path.relative_to(copy).as_posix() for path in copy.glob("lineage/*/*.json")
    }
    card = (copy / "README.md").read_text()
    assert (
        "license: unknown" in card
        and "license of the data: cc-by-4.0" in card
        and "Annex IV 2(d)" in card
        and "compliant" not in card
    )
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=copy, check=True)


def test_it_verifies_offline_and_without_the_repository(copy: Path, keys: tuple[Path, Path]) -> None:
    report = verify_release(copy, keys[1])
    assert report.problems == []
    assert report.checked["executions in the chain"] == report.checked["records"] == 6


def test_model_signing_itself_agrees(copy: Path, keys: tuple[Path, Path]) -> None:
    command = ["model_signing", "verify", "key", str(copy), "--signature", str(copy / "model.sig")]
    subprocess.run([*command, "--public_key", str(keys[1])], check=True, capture_output=True)


def test_any_flipped_byte_is_named(copy: Path, keys: tuple[Path, Path]) -> None:
    chance = random.Random(0)
    files = [path for path in sorted(copy.rglob("*")) if path.is_file()]
    chosen = [*files, *chance.choices(files, k=FLIPS - len(files)), *[copy / "model.sig"] * FLIPS]
    for path in chosen:
        content = bytearray(path.read_bytes())
        place, bit = chance.randrange(len(content)), 1 << chance.randrange(8)
        content[place] ^= bit
        path.write_bytes(content)
        problems = verify_release(copy, keys[1]).problems
        named = " ".join(f"{problem.path} {problem.found}" for problem in problems)
        assert path.name in named, f"{path} at {place}, bit {bit}: {problems}"
        content[place] ^= bit
        path.write_bytes(content)
    assert verify_release(copy, keys[1]).problems == []


def test_added_and_removed_files_are_named(copy: Path, keys: tuple[Path, Path]) -> None:
    (copy / ".gitignore").write_text("*")
    assert str(copy / ".gitignore") in {problem.path for problem in verify_release(copy, keys[1]).problems}
    (copy / ".gitignore").unlink()
    (copy / "model" / "config.json").unlink()
    assert any(problem.path.endswith("config.json") for problem in verify_release(copy, keys[1]).problems)


def test_another_key_is_refused(copy: Path, tmp_path: Path) -> None:
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(tmp_path / "other.pem"))
    openssl("ec", "-in", str(tmp_path / "other.pem"), "-pubout", "-out", str(tmp_path / "other.pub"))
    (problem,) = verify_release(copy, tmp_path / "other.pub").problems
    assert problem.path.endswith("model.sig") and "other.pub" in problem.expected
    (tmp_path / "none.pub").write_text("no key")
    with pytest.raises(SelfsameError, match=r"none\.pub: no public key"):
        verify_release(copy, tmp_path / "none.pub")


def test_a_release_is_held_against_its_tag(
    real_copy: Project, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    make_release(Snapshot(), CHAMPION, tmp_path / "out", keys[0], tag="v1")
    assert held_against_tag(tmp_path / "out", "v1") == []
    message = real_copy.run("git", "tag", "-l", "--format=%(contents)", "v1")

    def moved(to: str, words: str) -> list[str]:
        real_copy.run("git", "tag", "-f", "-a", "v1", to, "-m", words)
        return [problem.expected for problem in held_against_tag(tmp_path / "out", "v1")]

    second = real_copy.run("git", "log", "--format=%H", "--grep=^second$").strip()
    first = real_copy.run("git", "log", "--format=%H", "--grep=^first$").strip()
    sources = real_copy.run("git", "log", "--format=%H", "--grep=^sources$").strip()
    assert moved(second, message) == ["a commit whose dvc.lock names the release's model"]
    assert moved(first, message) == []  # the same model, of the same records
    assert "a message with" in moved("HEAD", message.replace("weights sha256:", "weights sha256:0"))[0]
    with pytest.raises(SelfsameError, match="no such file"):
        moved(sources, message)
    with pytest.raises(SelfsameError, match="no such revision"):
        held_against_tag(tmp_path / "out", "v2")


def test_the_digest_is_anchored_in_a_tag(real_copy: Project, keys: tuple[Path, Path], tmp_path: Path) -> None:
    digest = make_release(Snapshot(), CHAMPION, tmp_path / "out", keys[0], tag="v1")
    message = real_copy.run("git", "tag", "-n9", "v1")
    assert re.search(r"sha256:(\w+) of models/champion", message)[1] == digest  # type: ignore[index]
    assert hashlib.sha256((tmp_path / "out" / "SHA256SUMS").read_bytes()).hexdigest() == digest
    answer = answer_all(Case(Snapshot(), CHAMPION))[10]
    assert digest in answer.answer and answer.evidence["tags"][0]["name"] == "v1"
    weights = (CHAMPION / "model.safetensors").read_bytes()
    models = (Path("models/baseline"), Path("models/student"))
    (other,) = (model for model in models if (model / "model.safetensors").read_bytes() != weights)
    assert answer_all(Case(Snapshot(), other))[10].answer.startswith("not recorded")


def test_no_release_of_a_broken_chain_or_with_a_key_of_the_repository(
    real_copy: Project, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    shutil.copy(keys[0], "signer.pem")
    with pytest.raises(SelfsameError, match="private key inside the repository"):
        make_release(Snapshot(), CHAMPION, tmp_path / "out", Path("signer.pem"))
    with pytest.raises(SelfsameError, match="no elliptic-curve private key"):
        make_release(Snapshot(), CHAMPION, tmp_path / "out", keys[1])
    (tmp_path / "taken").mkdir()
    with pytest.raises(SelfsameError, match="is there already"):
        make_release(Snapshot(), CHAMPION, tmp_path / "taken", keys[0])
    for record in Path("lineage/split").iterdir():
        record.unlink()
    with pytest.raises(SelfsameError, match="incomplete: not all that is behind it is recorded"):
        make_release(Snapshot(), CHAMPION, tmp_path / "out", keys[0])
    assert not (tmp_path / "out").exists()


@pytest.fixture
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a network unreachable, also where there is one, and know nothing of Sigstore from before."""
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))


def test_without_a_network_sigstore_signs_and_checks_nothing(
    real: Project, released: Path, tmp_path: Path, no_network: None
) -> None:
    with pytest.raises(SelfsameError, match="not signed by Sigstore: TUFError") as refused:
        make_release(Snapshot(), CHAMPION, tmp_path / "handed" / "release", key=None)
    assert "network" in refused.value.fix
    assert list((tmp_path / "handed").iterdir()) == []
    with pytest.raises(SelfsameError, match=r"model\.sig: not checked, .* TUFError"):
        verify_release(released, SOMEONE)


def test_without_an_identity_sigstore_signs_nothing(
    real: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Nobody:
        def sign(self, payload: object) -> None:
            raise IdentityError("the token of this job can't be had")

    def by_nobody(config: signing.Config, use_ambient_credentials: bool) -> signing.Config:
        assert use_ambient_credentials
        config._signer = Nobody()
        return config

    monkeypatch.setattr(signing.Config, "use_sigstore_signer", by_nobody)
    with pytest.raises(SelfsameError, match="the token of this job can't be had") as refused:
        make_release(Snapshot(), CHAMPION, tmp_path / "handed" / "release", key=None)
    assert "an identity to prove" in refused.value.fix
    assert list((tmp_path / "handed").iterdir()) == []


def test_an_identity_is_checked_by_sigstore_and_without_the_law_of_keys(
    copy: Path, keys: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key stands in for Sigstore, whose signatures need a network."""
    asked = []

    def by_identity(config: verifying.Config, identity: str, oidc_issuer: str) -> verifying.Config:
        asked.append(Identity(identity, oidc_issuer))
        return config.use_elliptic_key_verifier(public_key=keys[1])

    monkeypatch.setattr(verifying.Config, "use_sigstore_verifier", by_identity)
    signature = copy / "model.sig"
    signature.write_text(json.dumps(json.loads(signature.read_text()), indent=1))
    assert verify_release(copy, SOMEONE).problems == [] and asked == [SOMEONE]
    (problem,) = verify_release(copy, keys[1]).problems
    assert "its JSON is not as it was written" in problem.found
    (copy / "README.md").write_text("better")
    assert "someone@example.com" in verify_release(copy, SOMEONE).problems[0].expected


def test_a_key_is_nobodys_identity(copy: Path, no_network: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checked by Sigstore itself, with the roots of trust that its package brings."""
    roots = ClientTrustConfig.production(offline=True)
    monkeypatch.setattr(ClientTrustConfig, "production", lambda: roots)
    (problem,) = verify_release(copy, SOMEONE).problems
    assert problem.path.endswith("model.sig") and "expected certificate" in problem.found
