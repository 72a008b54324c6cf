"""Writes what follows from the models: one CRD per kind and the API reference.

In: the models, their rules and the list of gaps. Out: `crds/*.yaml` and `docs/api.md`, the same bytes every time.
Nobody edits those files; `python -m fairlead_crds.generate --check` fails when they are stale.
"""

from __future__ import annotations

from fairlead_crds.generate.crd import custom_resource_definition
from fairlead_crds.generate.files import generated_files, stale_files, write_files

__all__ = ["custom_resource_definition", "generated_files", "stale_files", "write_files"]
