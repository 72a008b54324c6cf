"""Work saved from one compilation to the next. Leaving it out changes nothing but the time taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Each(Protocol):
    """What :meth:`Memo.each` gives."""

    def __call__(self, key: object, item: object, compute: Callable[[], T]) -> T:
        """The result of ``compute`` for ``item``, or that of last time."""
        ...


class Memo:
    """Results of stages, each valid for one *basis*: everything it was made of, compared for equality.

    Comparing lists of unchanged structs is cheap, because equality of containers looks at identity first. What a
    compilation does not ask for is forgotten, so this grows with what is declared and not with what ever was.
    """

    def __init__(self, before: Memo | None = None) -> None:
        self._before: Mapping[str, tuple[object, Any]] = {} if before is None else before._now
        self._now: dict[str, tuple[object, Any]] = {}

    def once(self, stage: str, basis: object, compute: Callable[[], T]) -> T:
        """The result of ``compute``, or that of last time if it was made of an equal basis."""
        known = self._before.get(stage)
        result: T = known[1] if known is not None and known[0] == basis else compute()
        self._now[stage] = (basis, result)
        return result

    def each(self, stage: str, basis: object) -> Each:
        """For a stage that works on many objects, each remembered under its key.

        A result is valid while its ``item`` is the very same object and the basis shared by all of them is equal.
        """
        known = self._before.get(stage)
        before: Mapping[object, tuple[object, Any]] = known[1] if known is not None and known[0] == basis else {}
        now: dict[object, tuple[object, Any]] = {}
        self._now[stage] = (basis, now)

        def get(key: object, item: object, compute: Callable[[], T]) -> T:
            found = before.get(key)
            result: T = found[1] if found is not None and found[0] is item else compute()
            now[key] = (item, result)
            return result

        return get
