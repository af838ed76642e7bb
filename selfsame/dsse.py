"""DSSE envelopes: a statement with its signatures, in the form that in-toto's and Sigstore's tools check."""

import base64
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from selfsame.core.errors import SelfsameError

PAYLOAD_TYPE = "application/vnd.in-toto+json"
ENVELOPE = ".dsse"  # ends the name of a record's envelope


def wrap(payload: bytes, key: Path | None) -> dict[str, Any]:
    """Put a statement into an envelope.

    Args:
        key: PEM file of an elliptic-curve private key that signs it; None: nobody does.

    Raises:
        SelfsameError: the key is no such key.
    """
    signatures = [] if key is None else [sign(payload, key)]
    return {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": signatures,
    }


def sign(payload: bytes, key: Path) -> dict[str, str]:
    """Return one signature of an envelope, with the sha256 of the public key (DER) as the key's id."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise SelfsameError(
            f"{key}: no private key in PEM: {error}",
            "make one with 'openssl ecparam -name prime256v1 -genkey -noout -out KEY.pem'",
        ) from None
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise SelfsameError(f"{key}: no elliptic-curve key", "see 'Releases and keys' in docs/auditor.md")
    signature = private.sign(signed_bytes(payload), ec.ECDSA(hashes.SHA256()))
    return {"keyid": _key_id(private.public_key()), "sig": base64.b64encode(signature).decode()}


def open_envelope(content: bytes) -> tuple[bytes, list[dict[str, str]]]:
    """Return the payload and the signatures of an envelope's bytes.

    Raises:
        ValueError: it is none.
    """
    envelope = json.loads(content)
    if not isinstance(envelope, dict) or set(envelope) != {"payloadType", "payload", "signatures"}:
        raise ValueError("no envelope")
    if envelope["payloadType"] != PAYLOAD_TYPE:
        raise ValueError(f"an envelope of the type {envelope['payloadType']}")
    return base64.b64decode(envelope["payload"], validate=True), envelope["signatures"]


def signature_fault(content: bytes, public: Path) -> str | None:
    """Say why an envelope is not signed by a key, or return None if it is.

    Raises:
        SelfsameError: the file holds no public key.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        key = serialization.load_pem_public_key(public.read_bytes())
    except (OSError, ValueError) as error:
        raise SelfsameError(f"{public}: no public key in PEM: {error}", "ask the signer for it") from None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise SelfsameError(f"{public}: no elliptic-curve key", "ask the signer for it")
    payload, signatures = open_envelope(content)
    for each in signatures:
        try:
            key.verify(
                base64.b64decode(each["sig"], validate=True), signed_bytes(payload), ec.ECDSA(hashes.SHA256())
            )
            return None
        except (InvalidSignature, ValueError, KeyError, TypeError):
            continue
    return "no signature by this key" if signatures else "no signature"


def signed_bytes(payload: bytes) -> bytes:
    """Return what is signed: the payload with its type, as DSSE's "pre-authentication encoding" has them."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def _key_id(public: Any) -> str:
    from cryptography.hazmat.primitives import serialization

    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return sha256(der).hexdigest()
