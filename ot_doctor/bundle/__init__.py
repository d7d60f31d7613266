"""Bundles: the evidence of a run in one file, to be examined on another machine.

``writing`` makes one, ``reading`` takes one apart, ``codec`` turns evidence into JSON and back, ``archive`` the zip or
tar.gz around it, and ``diff`` says what is different between two of them.
"""


class Refused(Exception):
    """A file that cannot be read as a bundle or a report, or a bundle that is not written. The text is for the user."""
