"""llama.cpp's library, and what a model file and this machine hold."""
