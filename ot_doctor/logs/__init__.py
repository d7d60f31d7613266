"""Reading logs: pure functions over text. No Docker, no disk."""
