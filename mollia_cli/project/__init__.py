"""What a project is and holds: its texts, its panel, what that observed, and labels that somebody knows."""
