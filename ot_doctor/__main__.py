"""``python -m ot_doctor``."""

from ot_doctor.cli import main

main()
