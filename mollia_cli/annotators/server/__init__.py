"""LLMs behind HTTP servers that people already run: the connection, what is asked of it, and what it must show first."""
