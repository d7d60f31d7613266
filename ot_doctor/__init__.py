"""Find out why OpenTranscribe's speaker diarization does not work."""

__version__ = "0.1.0"
