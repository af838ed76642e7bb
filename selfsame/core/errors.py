"""Errors that a person is expected to meet."""


class SelfsameError(Exception):
    """Bad input or a state that a person can mend; shown as one message, without a traceback.

    Args:
        what: what is wrong, naming the file, the key and the value.
        fix: what to do about it.
    """

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(what, fix)
        self.what = what
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.what}\n  fix: {self.fix}" if self.fix else self.what


class PassingError(SelfsameError):
    """A hindrance that may be gone at the next try: a network, a server, a lock."""
