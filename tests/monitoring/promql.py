"""Which metrics and labels an expression speaks of, as we write them; promtool judges whether it is well formed."""

from __future__ import annotations

import re

# Of a target, as Prometheus and its operator name it.
TARGET_LABELS = frozenset({"namespace", "instance", "pod", "job"})
_WORDS = frozenset(
    ["by", "without", "on", "ignoring", "and", "or", "unless", "bool", "offset", "group_left", "group_right"]
)
_NAME = re.compile(r"[a-zA-Z_:][\w:]*")


def _without_strings(expression: str) -> str:
    return re.sub(r'"[^"]*"', '""', expression)


def metrics(expression: str) -> set[str]:
    """Names of the series that are selected."""
    text = re.sub(r"\b(by|without|on|ignoring)\s*\([^)]*\)", " ", _without_strings(expression))
    text = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\boffset\s+\w+|\$\w+", " ", text)
    found = ((match.group(), text[match.end() :].lstrip()[:1]) for match in _NAME.finditer(text))
    return {name for name, following in found if following != "(" and name not in _WORDS}


def matched_labels(expression: str) -> dict[str, set[str]]:
    """The labels in the braces behind each metric."""
    found: dict[str, set[str]] = {}
    for name, matchers in re.findall(r"([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}", _without_strings(expression)):
        found.setdefault(name, set()).update(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
    return found


def grouped_labels(expression: str) -> set[str]:
    """The labels that results are grouped by or matched on."""
    lists = re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression)
    return {label.strip() for each in lists for label in each.split(",") if label.strip()}


def made_labels(expression: str) -> set[str]:
    """The labels that ``label_replace`` makes."""
    return set(re.findall(r'label_replace\(.*?,\s*"(\w+)",\s*"\$1"', expression, re.DOTALL))
