"""The compiler: declared objects in; a sealed snapshot, findings and the state of every object out.

Pure and deterministic: no clock, no I/O, the same input gives the same bytes. An object is *lowered* to its intent by
itself, then *linked* with the world; checks across objects follow. Fetching objects, publishing snapshots and writing
status belong to whoever calls this.
"""

from fairlead_crds.compile.compile import Compilation, compile_resources
from fairlead_crds.compile.findings import Finding, ObjectState, Reason, Severity
from fairlead_crds.compile.previous import Previous
from fairlead_crds.compile.resources import Namespace, Resources, SecretVersions, Settings

__all__ = [
    "Compilation",
    "Finding",
    "Namespace",
    "ObjectState",
    "Previous",
    "Reason",
    "Resources",
    "SecretVersions",
    "Settings",
    "Severity",
    "compile_resources",
]
