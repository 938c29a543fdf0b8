"""Memory of one rank beside weights and cache, and the budget that all of them share."""
