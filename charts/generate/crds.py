"""The CRDs as templates: Helm never upgrades what is in a chart's folder ``crds/``, so ours are objects of the release."""

from __future__ import annotations

import re

_METADATA = """\
metadata:
  name: {name}
  labels: {{{{- include "fairlead.labels" (dict "root" .) | nindent 4 }}}}
  {{{{- if or .Values.crds.keep .Values.commonAnnotations }}}}
  annotations:
    {{{{- with .Values.commonAnnotations }}}}
    {{{{- toYaml . | nindent 4 }}}}
    {{{{- end }}}}
    {{{{- if .Values.crds.keep }}}}
    helm.sh/resource-policy: keep
    {{{{- end }}}}
  {{{{- end }}}}
"""


def crd_template(crd: str, source: str) -> str:
    """The template for the CRD in the file ``source``, of which ``crd`` is the text. Raises ``ValueError``."""
    body = "".join(line for line in crd.splitlines(keepends=True) if not line.startswith("#"))
    before, found, after = body.partition("metadata:\n")
    named = re.match(r"  name: (\S+)\n(?=\S)", after)
    if not found or named is None:
        raise ValueError(f"{source}: expected `metadata:` with nothing but a name")
    return (
        f"{{{{- /* Generated from {source} by `python -m charts.generate`. */ -}}}}\n"
        "{{- if .Values.crds.enabled }}\n"
        + _literal(before)
        + _METADATA.format(name=named[1])
        + _literal(after[named.end() :])
        + "{{- end }}\n"
    )


def _literal(text: str) -> str:
    """Text that a template leaves as it is."""
    return re.sub(r"\{\{|\}\}", lambda found: '{{ "' + found[0] + '" }}', text)
