"""This computer: what annotation runs on, how fast it is, and the demo."""
