"""What the system refuses, a full disk above all, said in one sentence instead of a traceback."""

import errno
import os

from selfsame.core.errors import SelfsameError

ROOM = "make room ('selfsame gc' lists what DVC's cache can do without); nothing half-written is kept"
WRITABLE = "allow this user to write there, and run again"
MEMORY = "use smaller batches (training.batch_size), fewer rows, or a machine with more memory"
DEBUG = "look at that file; with SELFSAME_DEBUG=1 you are told where it was wanted"
FIXES = {
    errno.ENOSPC: ROOM,
    errno.EDQUOT: ROOM,
    errno.EFBIG: ROOM,
    errno.EROFS: WRITABLE,
    errno.EACCES: WRITABLE,
    errno.EPERM: WRITABLE,
    errno.EIO: "check the disk, and run again",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENOMEM: MEMORY,
}


def mendable(error: BaseException) -> SelfsameError | None:
    """Return an error as a person can mend it; None for what is a fault of the code.

    Libraries that aren't written in Python raise errors of their own, with the system's words in them.
    """
    if isinstance(error, SelfsameError):
        return error
    if isinstance(error, MemoryError) or "out of memory" in str(error):
        return SelfsameError(f"memory ran out: {error}".rstrip(": "), MEMORY)
    if isinstance(error, OSError) and error.filename:
        place = error.filename if isinstance(error.filename, str) else repr(error.filename)
        return SelfsameError(f"{place}: {error.strerror}", FIXES.get(error.errno or 0, DEBUG))
    code = getattr(error, "errno", None)
    if code not in FIXES:
        code = next((one for one in FIXES if os.strerror(one) in str(error)), None)
    return None if code is None else SelfsameError(str(error), FIXES[code])
