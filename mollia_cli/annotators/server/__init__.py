"""LLMs behind HTTP servers that people already run: the connection, what is asked, and what must be shown first."""
