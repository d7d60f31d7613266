"""The log that a library's text makes in a worker: a traceback, a warning, or a record."""

from __future__ import annotations

from tests.corpus.coverage.texts import Text

_PACKAGES = "/usr/local/lib/python3.12/site-packages"
_TASK = "5d1c2b8e-7a54-4f0e-9a47-0c6a1f6d2b11"
_HEAD = "[2026-11-21 01:37:28,804: {level}/{process}] "
_TRACEBACK = """\
Traceback (most recent call last):
  File "{packages}/celery/app/trace.py", line 453, in trace_task
    R = retval = fun(*args, **kwargs)
  File "/app/app/tasks/transcription/core.py", line 210, in gpu_transcribe
    result = _diarize(audio, settings)
{callers}  File "{packages}/{path}", line {line}, in {function}
    raise {short}(
{last}
"""
_CALLER = '''  File "{packages}/{path}", line 310, in {function}
    return {function}_inner(
'''
_OWN = ("celery", "billiard", "kombu")  # what happens in them happens in the parent process, outside of tasks


def as_logged(text: Text) -> str:
    """What ``docker logs`` shows of it."""
    own = text.library in _OWN
    head = _HEAD.format(level=text.level or "ERROR", process="MainProcess" if own else "ForkPoolWorker-1")
    if text.kind == "logged":
        return f"{head}{text.text}\n"
    if text.kind == "printed":
        return f"{text.text}\n"
    short = text.type.rpartition(".")[2]
    if text.kind == "warned":
        return f"{_PACKAGES}/{text.path}:{text.line}: {short}: {text.text}\n  warnings.warn(\n"
    last = f"{text.type}: {text.text}" if text.text else text.type
    callers = ""
    for caller in text.called_by:
        path, _, function = caller.partition(":")
        callers += _CALLER.format(packages=_PACKAGES, path=path, function=function)
    function = text.function.rpartition(".")[2]
    traceback = _TRACEBACK.format(
        callers=callers, packages=_PACKAGES, path=text.path, line=text.line, function=function, short=short, last=last
    )
    said = f"Unrecoverable error: {short}({text.text!r})" if own else (
        f"Task transcription.gpu_transcribe[{_TASK}] raised unexpected: {short}({text.text!r})"
    )
    return f"{head}{said}\n{traceback}"
