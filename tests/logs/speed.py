"""How fast faults are found: ``python -m tests.logs.speed``."""

from __future__ import annotations

import random
import time
import uuid

from ot_doctor.logs.faults import unexplained

_TRACEBACK = """Traceback (most recent call last):
  File "/usr/local/lib/python3.11/site-packages/urllib3/connection.py", line 196, in _new_conn
    sock = connection.create_connection(
  File "/usr/local/lib/python3.11/site-packages/urllib3/util/connection.py", line 58, in create_connection
    for res in socket.getaddrinfo(host, port, family, socket.SOCK_STREAM):
socket.gaierror: [Errno -2] Name or service not known

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/usr/local/lib/python3.11/site-packages/requests/adapters.py", line 667, in send
    resp = conn.urlopen(
  File "/usr/local/lib/python3.11/site-packages/urllib3/connectionpool.py", line 843, in urlopen
    retries = retries.increment(
  File "/usr/local/lib/python3.11/site-packages/urllib3/util/retry.py", line 519, in increment
    raise MaxRetryError(_pool, url, reason) from reason  # type: ignore[arg-type]
urllib3.exceptions.MaxRetryError: HTTPSConnectionPool(host='huggingface.co', port=443): Max retries exceeded (0x{:x})

"""


def _task(chance: random.Random) -> uuid.UUID:
    return uuid.UUID(int=chance.getrandbits(128))


def main() -> None:
    chance = random.Random(1)
    stamps = [f"[2026-11-21 01:37:{number % 60:02d},{number % 1000:03d}: " for number in range(60_000)]
    ordinary = "".join(f"{stamp}INFO/MainProcess] Task transcription.cpu[{_task(chance)}]: words aligned\n" for stamp in stamps)
    tracebacks = "".join(
        f"{stamp}ERROR/MainProcess] Task transcription.gpu_transcribe[{_task(chance)}] raised unexpected\n"
        + _TRACEBACK.format(chance.getrandbits(46))
        for stamp in stamps[:6_000]
    )
    for name, text in (("ordinary lines", ordinary), ("tracebacks", tracebacks)):
        begin = time.process_time()
        unexplained(text)
        print(f"{name}: {len(text) / 1e6 / (time.process_time() - begin):.0f} MB/s")


if __name__ == "__main__":
    main()
