"""The only driver of Copier, and the store of released templates."""
