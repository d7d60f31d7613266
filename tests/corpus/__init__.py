"""Real worker logs, and how they are made. See README.md."""
