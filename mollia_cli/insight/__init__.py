"""What reads a project: measures, reports, explanations, predictions, review, and what leaves it."""
