"""A classification as another process sends it: read with suspicion, and also when that process is of another version.

Fields that are not known are passed over, and words for path and fallback that are not known get the next best meaning here.
What reaches records and metrics is bounded, whoever sent it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from fairlead_contract.decision import Classification, ClassificationFallback, ClassificationPath

MAX_BYTES = 64 * 1024
_MAX_NAMES = 256
"""Categories, or rules that spoke."""
_MAX_CHARACTERS = 128
"""Of a name."""


class NotUnderstood(ValueError):
    """It cannot be used. Its words quote nothing of what was sent."""


def read_classification(data: bytes) -> Classification:
    """Raises :class:`NotUnderstood`."""
    try:
        fields = msgspec.json.decode(data, type=dict[str, Any])
        said = msgspec.convert(_understood(fields), Classification)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise NotUnderstood("its answer is no classification") from error
    names = [said.category, said.difficulty, *said.probabilities, *said.conformal_set, *said.evidence]
    names += [each for each in (said.rule_category, said.language, said.bundle_digest) if each is not None]
    if len(names) > _MAX_NAMES or any(len(each) > _MAX_CHARACTERS or not each.isprintable() for each in names):
        raise NotUnderstood("its answer has too many names, or some that are none")
    shares = [said.confidence, said.rule_confidence, said.complexity, said.creativity, *said.probabilities.values()]
    shares += [] if said.margin is None else [said.margin]
    if not all(0 <= each <= 1 for each in shares):
        raise NotUnderstood("its answer has numbers that are no probabilities")
    return said


def _understood(fields: dict[str, Any]) -> dict[str, Any]:
    if fields.get("path") not in list(ClassificationPath):
        learned = bool(fields.get("probabilities"))
        fields["path"] = ClassificationPath.LEARNED if learned else ClassificationPath.RULES
    if fields.get("fallback") not in [None, *ClassificationFallback]:
        fields["fallback"] = ClassificationFallback.FAILED
    return fields
