#!/bin/sh
# What `make run` does: run.sh OT_DOCTOR DIR [ARG ...]. The doctor's exit code is shown, and this script ends well.
here=$(cd "$(dirname "$0")" && pwd)
doctor=$1
dir=$2
shift 2
sample=
if [ -n "$dir" ]; then
  set -- --dir "$dir" "$@"
else
  said=$("$doctor" "$@" --wait 0 --format text --select docker-engine 2>&1 >/dev/null) && code=0 || code=$?
  # Wrong usage, and none with the same options where there is an installation: so there is none here.
  if [ "$code" = 2 ]; then
    "$doctor" "$@" --wait 0 --dir "$here" --no-docker --offline --select docker-engine >/dev/null 2>&1 && code=0 || code=$?
    if [ "$code" != 2 ]; then
      # A copy, so that it is an installation like any other and no part of this repository.
      sample=$(mktemp -d "${TMPDIR:-/tmp}/ot-doctor-sample.XXXXXX")/opentranscribe
      cp -R "$here" "$sample"
      said=$(printf '%s\n' "$said" | sed -n '1s/ One of these helps:$//p')  # the sample is shown instead
      printf '%s\nSo this is a broken sample, in %s:\n\n' "$said" "$sample"
      set -- --dir "$sample" --logs "$sample/worker.log" --no-docker --offline "$@"
    fi
  fi
fi
"$doctor" "$@" && code=0 || code=$?
echo "ot-doctor's exit code: $code"
if [ -n "$sample" ]; then
  echo "This was the sample. For your own installation: make run DIR=/path/to/opentranscribe"
fi
