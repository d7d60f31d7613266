"""All cases of the corpus."""

from __future__ import annotations

from .case import Run
from .runs_cache import CACHE
from .runs_ends import ENDS
from .runs_engine import ENGINE
from .runs_hub import CLIENTS, XET
from .runs_libraries import LIBRARIES
from .runs_network import NETWORK
from .runs_programs import PROGRAMS
from .runs_token import TOKENS
from .runs_v05 import V05
from .runs_worker import WORKER

RUNS: tuple[Run, ...] = (*TOKENS, *CACHE, *NETWORK, *WORKER, *LIBRARIES, *V05, *PROGRAMS, *CLIENTS, *XET, *ENDS, *ENGINE)
