#!/bin/sh
# What `make run` does: run.sh OT_DOCTOR DIR [ARG ...]. The doctor's exit code is shown, and this script ends well.
here=$(cd "$(dirname "$0")" && pwd)
doctor=$1
dir=$2
shift 2
if [ -n "$dir" ]; then
  set -- --dir "$dir" "$@"
elif "$doctor" "$@" --format text --select docker-engine 2>&1 >/dev/null | grep -q 'No OpenTranscribe installation was found'; then
  echo "No OpenTranscribe installation was found on this machine: this is the broken sample in $here"
  set -- --dir "$here" --logs "$here/worker.log" --no-docker --offline "$@"
fi
"$doctor" "$@" && code=0 || code=$?
echo "ot-doctor's exit code: $code"
