"""The command line: each file parses, calls one workflow function, and prints."""
