"""Prompts and texts through the model: encoded, batched, and read."""
