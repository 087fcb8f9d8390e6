"""What changes a project: aggregation, rounds of selecting, annotating and training, and what they cost."""
