"""What can be wrong with a bundle."""

from __future__ import annotations

from pathlib import Path


class BundleError(ValueError):
    """A bundle that must not be used. The message names bundle and file, what is wrong, and how to mend it."""

    def __init__(self, bundle: Path | str, problem: str, *, file: str | None = None, mend: str) -> None:
        """``problem`` says what is wrong with ``file``, or with the whole; ``mend`` what to do next."""
        self.bundle = str(bundle)
        self.file = file
        self.problem = problem
        self.mend = mend
        where = f"bundle {self.bundle}" + (f", {file}" if file else "")
        super().__init__(f"{where}: {problem}; {mend}")


MAKE_AGAIN = "make the bundle again, or copy it again from where it was made"
