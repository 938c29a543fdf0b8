"""Choosing: the best of the layouts, what else could be had, and what would mend a plan."""
