"""Writes the files of the chart that follow from others: schema and table of the values, templates of the CRDs.

In come ``charts/fairlead/values.yaml`` with its comments, the settings of router and operator, and the CRDs of ``crds/``. The
chart itself is written by hand.
"""

from charts.generate.files import generated_files, problems, stale_files, write_files

__all__ = ["generated_files", "problems", "stale_files", "write_files"]
