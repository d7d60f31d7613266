"""``python -m ot_doctor``."""

import os
import sys

try:
    # python -m searches the working folder first, and that may be anybody's: a docker.py in it would be run
    if sys.path[:1] in ([""], [os.getcwd()]):
        del sys.path[0]
except OSError:  # the working folder was deleted
    pass

from ot_doctor.cli.main import main

main()
