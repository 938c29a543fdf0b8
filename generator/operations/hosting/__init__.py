"""Several models on one host: proven together, rendered as one repository, checked together."""

BESIDE = "deployments"
"""Directory of the deployments that the first one's gateway serves too."""
