"""``python -m tests.corpus.coverage`` measures how many of the texts that the worker's libraries can write ot-doctor knows.

It walks the source of each library on the paths of loading, downloading and diarizing, makes of each text that is raised,
warned or logged the log that the library would write, and lets ot-doctor judge it. ``libraries.toml`` says which versions and
modules, and ``families.toml`` which errors are none that a user of OpenTranscribe can do anything about.
"""
