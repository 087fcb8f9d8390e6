"""mollia: label private text with a panel of small local LLMs and train a classifier from those labels."""

__version__ = "0.1.0"
