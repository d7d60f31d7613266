"""What this site wants of its OpenTranscribe installations."""
