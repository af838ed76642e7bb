"""Downloads: into memory, checked before they count, tried again when they fail."""

import time
import urllib.request
from collections.abc import Callable, Sequence
from http.client import HTTPException
from typing import TypeVar

from selfsame.core.errors import SelfsameError

ATTEMPTS = 3
TIMEOUT_SECONDS = 30.0


Checked = TypeVar("Checked")


def fetch(title: str, file: str, addresses: Sequence[str], check: Callable[[bytes, str], Checked]) -> Checked:
    """Download one file; nothing half-written is left anywhere.

    Args:
        title: the data set's name, for messages.
        addresses: folders that hold the file, in the order in which they are tried.
        check: takes the bytes and their address, returns what they hold, or raises SelfsameError.

    Raises:
        SelfsameError: naming every address with the reason why it failed.
    """
    failures = []
    for attempt in range(ATTEMPTS):
        time.sleep(2**attempt - 1)
        for address in addresses:
            url = f"{address.rstrip('/')}/{file}"
            try:
                with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:
                    return check(response.read(), url)
            except (OSError, ValueError, HTTPException, SelfsameError) as error:
                failures.append(error.what if isinstance(error, SelfsameError) else f"{url}: {error}")
    raise SelfsameError(
        f"download of {title} failed after {ATTEMPTS} attempts:\n    "
        + "\n    ".join(dict.fromkeys(failures)),
        "check the network, set data.mirror, or put the files at data.path",
    )
