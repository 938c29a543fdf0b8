"""What the planner knows of a kind of mixer."""
