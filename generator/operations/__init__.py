"""One module a verb: effects, no printing."""
