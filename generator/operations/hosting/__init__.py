"""Several models on one host: proven together, rendered as one repository, checked together."""
