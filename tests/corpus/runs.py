"""All cases of the corpus."""

from __future__ import annotations

from .case import Run
from .runs_cache import CACHE
from .runs_libraries import LIBRARIES
from .runs_network import NETWORK
from .runs_token import TOKENS
from .runs_v05 import V05
from .runs_worker import WORKER

RUNS: tuple[Run, ...] = (*TOKENS, *CACHE, *NETWORK, *WORKER, *LIBRARIES, *V05)
