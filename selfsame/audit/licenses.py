"""Licenses by their SPDX ids, which bills and hubs know; those that sources and packages here have."""

from typing import Any

_SPDX = {
    "CC BY 4.0": "CC-BY-4.0",
    "CC BY-SA 3.0": "CC-BY-SA-3.0",
    "MIT License": "MIT",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "ISC License (ISCL)": "ISC",
    "Python Software Foundation License": "PSF-2.0",
}
_SAME = ("MIT", "MIT-0", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MPL-2.0", "PSF-2.0", "Zlib")


def license_of(manifest: dict[str, Any]) -> str | None:
    """Return the data's license as the manifest has it, also one of an earlier version."""
    return manifest.get("license", manifest.get("licence"))


def spdx_id(name: str) -> str | None:
    """Return the SPDX id of a license; None if it isn't a single one that has one."""
    return name if name in _SAME else _SPDX.get(name)
