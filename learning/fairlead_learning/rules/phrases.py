"""Many phrases found in one walk over the words of a text."""

from __future__ import annotations

from collections.abc import Iterable

from fairlead_learning.text.words import END, plain, words

Phrase = tuple[str, ...]


def phrase(text: str) -> Phrase:
    """The words of a phrase, made plain as those of texts are; empty if it has none."""
    return tuple(word for word in words(plain(text)) if word != END)


class PhraseIndex:
    """Phrases by their first two words; each carries a number, of the rule that it belongs to."""

    def __init__(self, entries: Iterable[tuple[Phrase, int]]) -> None:
        """Entries with an empty phrase are never found."""
        self._alone: dict[str, list[int]] = {}
        # By the second word too: hundreds begin with "write" or "a".
        self._longer: dict[str, dict[str, list[tuple[list[str], int]]]] = {}
        for words_of, number in entries:
            if len(words_of) == 1:
                self._alone.setdefault(words_of[0], []).append(number)
            elif words_of:
                seconds = self._longer.setdefault(words_of[0], {})
                seconds.setdefault(words_of[1], []).append((list(words_of[2:]), number))

    def at(self, text: list[str], position: int) -> list[tuple[int, int]]:
        """(number, end) of each phrase that begins at the position."""
        word = text[position]
        found = [(number, position + 1) for number in self._alone.get(word, ())]
        seconds = self._longer.get(word)
        if seconds is not None and position + 1 < len(text):
            for rest, number in seconds.get(text[position + 1], ()):
                end = position + 2 + len(rest)
                if not rest or text[position + 2 : end] == rest:
                    found.append((number, end))
        return found

    def begins(self, word: str) -> bool:
        """Whether a phrase begins with the word: to be asked first, as most words begin none."""
        return word in self._alone or word in self._longer
