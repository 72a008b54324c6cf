"""Publishing: one ConfigMap with the snapshot and one Secret with the credentials it refers to."""
