"""Small resources and a folder to put them in."""

from __future__ import annotations

import time
from pathlib import Path

PROVIDER = """\
apiVersion: fairlead.dev/v1alpha1
kind: ModelProvider
metadata:
  name: {name}
spec:
  type: Simulated
  models:
    - name: {model}
      prices:
        - {{inputUSDPerMillionTokens: "1", outputUSDPerMillionTokens: "2"}}
"""

POLICY = """\
apiVersion: fairlead.dev/v1alpha1
kind: RoutingPolicy
metadata:
  name: {name}
spec:
  targets:
    - name: main
      modelRef: {{providerRef: {{name: sim}}, model: {model}}}
      weight: {weight}
"""

SECRET = """\
apiVersion: v1
kind: Secret
metadata:
  name: {name}
  labels: {{fairlead.dev/credentials: {label}}}
stringData:
  api-key: {value}
"""


def provider(name: str = "sim", model: str = "tiny") -> str:
    return PROVIDER.format(name=name, model=model)


def policy(name: str = "chat", model: str = "tiny", weight: int = 100) -> str:
    return POLICY.format(name=name, model=model, weight=weight)


def secret(name: str = "keys", label: str = "provider", value: str = "s3cret") -> str:
    return SECRET.format(name=name, label=label, value=value)


def documents(*texts: str) -> str:
    return "---\n".join(texts)


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def mount_config_map(folder: Path, files: dict[str, str]) -> None:
    """Write ``files`` as the kubelet does: a new dated folder, then one atomic swap of the link ``..data``."""
    dated = folder / f"..{time.time_ns()}"
    for name, text in files.items():
        write(dated / name, text)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    link = folder / "..data_tmp"
    link.symlink_to(dated.name)
    link.replace(folder / "..data")
