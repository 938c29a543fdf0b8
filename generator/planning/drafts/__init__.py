"""Drafts: models and heads that draft tokens for their target: shapes, weights, checks and what is said of them."""
