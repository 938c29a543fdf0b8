"""Serving: what follows from what a model is for: parsers, chat templates, pooling and its routes."""
