"""What an LLM's answer is: the labels' tokens, their scores, and votes."""
