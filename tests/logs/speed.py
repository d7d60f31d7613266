"""How fast faults are found: ``python -m tests.logs.speed``."""

from __future__ import annotations

import random
import time
import uuid

from ot_doctor.logs.faults import unexplained

TRACEBACK = """Traceback (most recent call last):
  File "/usr/local/lib/python3.11/site-packages/urllib3/connection.py", line 196, in _new_conn
    sock = connection.create_connection(
  File "/usr/local/lib/python3.11/site-packages/urllib3/util/connection.py", line 58, in create_connection
    for res in socket.getaddrinfo(host, port, family, socket.SOCK_STREAM):
socket.gaierror: [Errno -2] Name or service not known

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/app/transcription/diarizer.py", line 51, in load_model
    pipeline = Pipeline.from_pretrained(self.config.model, token=self.config.token)
               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/usr/local/lib/python3.11/site-packages/pyannote/audio/core/pipeline.py", line 120, in from_pretrained
    config_yml = hf_hub_download(
                 ^^^^^^^^^^^^^^^^
  File "/usr/local/lib/python3.11/site-packages/huggingface_hub/utils/_validators.py", line 114, in _inner_fn
    return fn(*args, **kwargs)
           ^^^^^^^^^^^^^^^^^^^
  File "/usr/local/lib/python3.11/site-packages/huggingface_hub/file_download.py", line 1007, in hf_hub_download
    return _hf_hub_download_to_cache_dir(
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/usr/local/lib/python3.11/site-packages/huggingface_hub/file_download.py", line 1484, in _get_metadata_or_catch_error
    metadata = get_hf_file_metadata(
               ^^^^^^^^^^^^^^^^^^^^^
  File "/usr/local/lib/python3.11/site-packages/huggingface_hub/file_download.py", line 278, in _request_wrapper
    response = _request_wrapper(
               ^^^^^^^^^^^^^^^^^
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
        + TRACEBACK.format(chance.getrandbits(46))
        for stamp in stamps[:6_000]
    )
    unexplained(tracebacks[:10_000])  # the rules are read and compiled once, in about a tenth of a second
    for name, text in (("ordinary lines", ordinary), ("tracebacks", tracebacks)):
        begin = time.process_time()
        unexplained(text)
        print(f"{name}: {len(text) / 1e6 / (time.process_time() - begin):.0f} MB/s")


if __name__ == "__main__":
    main()
