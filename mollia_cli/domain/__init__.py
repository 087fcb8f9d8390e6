"""The vocabulary: frozen value types and pure helpers. Imports nothing but the standard library and numpy."""
