"""Texts that break what is written for ordinary ones."""

from __future__ import annotations

HOSTILE = {
    "empty": "",
    "white space": " \t\n\r  ",
    "a hundred thousand letters": "a" * 100_000,
    "a hundred thousand blanks": " " * 100_000,
    "a hundred thousand lines": "\n" * 100_000,
    "open brackets": "([{<" * 25_000,
    "nested quotes": "\"'`" * 30_000,
    "dollars": "$a$" * 30_000,
    "half a query, again and again": "select x " * 12_000,
    "half a choice, again and again": "which is a or b, " * 6_000,
    "phrases that share a beginning": "write a " * 12_000,
    "forms of politeness": "please could you " * 6_000,
    "greetings": "hi. " * 25_000,
    "unclosed tags": "<div a" * 16_000,
    "commas": ": a, b, " * 12_000,
    "ligatures of eighteen letters": "\ufdfa" * 6_000,
    "letters of two alphabets": "аa" * 50_000,
    "one lone surrogate": "\ud800",
    "surrogates in words": "write \udfff a \ud800 poem",
    "NUL": "\x00\x00 write\x00a\x00poem",
    "emoji": "😀🚀👩‍👩‍👧‍👦🏳️‍🌈",
    "right to left": "اكتب قصيدة عن البحر \u202e dlrow",
    "invisible characters": "\u200b\u200d\ufeff\u2060" * 1_000,
    "marks upon marks": "a" + "\u0301" * 5_000,
    "numbers": "1" * 50_000 + ".," * 5_000,
    "LaTeX that never ends": "\\frac{" * 10_000,
}
