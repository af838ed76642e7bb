"""One OpenSSF model signature over a folder: by a key, or by an identity for which Sigstore vouches."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfsame.core.errors import SelfsameError

SIGNATURE = "model.sig"


@dataclass(frozen=True)
class Identity:
    """Who signed by Sigstore, and who says so.

    Attributes:
        name: an e-mail address, or the address of a CI workflow.
        provider: address of the OpenID Connect provider.
    """

    name: str
    provider: str

    def __str__(self) -> str:
        return f"{self.name} ({self.provider})"


def sign_folder(folder: Path, key: Path | None) -> None:
    """Sign all files of a folder; the signature becomes one of them.

    Args:
        key: PEM file of an elliptic-curve private key; None: by Sigstore, which takes the identity of the CI
            job that this is, or else asks for one in the browser.

    Raises:
        SelfsameError: the key is no such key, or Sigstore can't be reached or got no identity.
    """
    signing, _, hashing = _model_signing()
    every_file = hashing.Config().set_ignored_paths(paths=[], ignore_git_paths=False)
    config = signing.Config().set_hashing_config(every_file)
    if key is None:
        try:
            config.use_sigstore_signer(use_ambient_credentials=True).sign(folder, folder / SIGNATURE)
        except Exception as error:  # the errors of four libraries and of every service they call
            raise SelfsameError(
                f"not signed by Sigstore: {_words(error)}",
                "it needs a network, and an identity to prove: of a CI job or in the browser; "
                "or sign with --key",
            ) from error
        return
    try:
        config.use_elliptic_key_signer(private_key=key)
    except (OSError, ValueError, TypeError) as error:
        raise SelfsameError(
            f"{key}: no elliptic-curve private key in PEM: {error}",
            "make one with 'openssl ecparam -name prime256v1 -genkey -noout -out KEY.pem'",
        ) from None
    config.sign(folder, folder / SIGNATURE)


def signature_fault(folder: Path, signer: Path | Identity) -> str | None:
    """Say what is wrong with a folder's signature, or return None if ``signer`` signed just these files.

    Args:
        signer: PEM file of the public key, or the identity that signed by Sigstore.

    Raises:
        SelfsameError: the file is no public key, or Sigstore's roots of trust can't be fetched.
    """
    _, verifying, hashing = _model_signing()
    path = folder / SIGNATURE
    config = verifying.Config().set_hashing_config(
        hashing.Config().set_ignored_paths(paths=[path], ignore_git_paths=False)
    )
    if isinstance(signer, Identity):
        try:
            config.use_sigstore_verifier(identity=signer.name, oidc_issuer=signer.provider)
        except Exception as error:  # as above
            raise SelfsameError(
                f"{path}: not checked, for Sigstore's roots of trust can't be had: {_words(error)}",
                "try again with a network",
            ) from error
    else:
        try:
            config.use_elliptic_key_verifier(public_key=signer)
        except (OSError, ValueError) as error:
            raise SelfsameError(f"{signer}: no public key in PEM: {error}", "ask the signer for it") from None
    try:
        if isinstance(signer, Path):
            _require_canonical(path.read_bytes())
        config.verify(folder, path)
    except Exception as error:  # whatever is wrong with it, a signature that can't be checked is refused
        return _words(error)
    return None


def _require_canonical(content: bytes) -> None:
    """Refuse a key's signature that means the same in other bytes, so that no change to it goes unnoticed."""
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


def _model_signing() -> tuple[Any, Any, Any]:
    """Return the modules signing, verifying, hashing of the one package that only releases need."""
    try:
        from model_signing import hashing, signing, verifying
    except ImportError as error:
        raise SelfsameError(
            f"releases need a package that is not here: {error}", "pip install 'selfsame[audit]'"
        ) from None
    return signing, verifying, hashing


def _words(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
