"""The Helm chart, and `charts.generate`, which writes those of its files that follow from others."""
