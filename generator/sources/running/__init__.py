"""Deployments that exist: command lines, Compose files, manifests and values, read as what they start."""
