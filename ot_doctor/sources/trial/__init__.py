"""A diarization of generated voices, in a container beside the worker."""
