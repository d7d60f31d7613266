#!/bin/sh
# Runs ot-doctor.pyz, which lies beside this file, with what there is: Python 3.10 or newer, uv, or the Python in the worker's own
# image. Nothing is installed, and nothing is downloaded unless uv fetches a Python. Usage: sh ot-doctor.sh [OPTIONS OF ot-doctor]
#
# OT_DOCTOR_WITH=python|uv|image   only that way
# OT_DOCTOR_IMAGE=NAME             the image with a Python, instead of the worker's own
#
# In the image, ot-doctor sees this folder, read-only, and the Docker engine: run it in the OpenTranscribe folder.
set -u

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 2
pyz=$here/ot-doctor.pyz
way=${OT_DOCTOR_WITH:-}
docker=${OT_DOCTOR_DOCKER:-docker}
unset OT_DOCTOR_WITH OT_DOCTOR_DOCKER

say() { printf 'ot-doctor.sh: %s\n' "$*" >&2; }

if [ ! -f "$pyz" ]; then
    say "$pyz is missing. Put ot-doctor.pyz beside this file."
    exit 2
fi
case $way in '' | python | uv | image) ;; *)
    say "OT_DOCTOR_WITH must be python, uv or image, and is '$way'."
    exit 2
    ;;
esac

if [ -z "$way" ] || [ "$way" = python ]; then
    for python in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
        if command -v "$python" >/dev/null 2>&1 && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; then
            exec "$python" "$pyz" "$@"
        fi
    done
fi

if { [ -z "$way" ] || [ "$way" = uv ]; } && command -v uv >/dev/null 2>&1; then
    exec uv run --no-project --python '>=3.10' "$pyz" "$@"
fi

# The worker's image has a Python. It gets the engine's socket and this folder at the same path, and no network but the host's.
if [ -z "$way" ] || [ "$way" = image ]; then
    if command -v "$docker" >/dev/null 2>&1; then
        image=${OT_DOCTOR_IMAGE:-}
        for service in celery-worker celery-worker-gpu-scaled celery-worker-gpu-diarize; do
            [ -n "$image" ] || image=$("$docker" ps --all --filter "label=com.docker.compose.service=$service" --format '{{.Image}}' 2>/dev/null | head -n 1)
        done
        socket=${DOCKER_HOST:-unix:///var/run/docker.sock}
        case $socket in unix://*) socket=${socket#unix://} ;; *) socket= ;; esac
        if [ -n "$image" ] && [ -n "$socket" ]; then
            folder=$(pwd) || exit 2
            terminal=
            if [ -t 0 ] && [ -t 1 ]; then terminal=--tty; fi
            # --user 0:0: only root may use the socket everywhere. Nothing in the folders can be written to.
            exec "$docker" run --rm --interactive ${terminal:+"$terminal"} --pull never --network host --user 0:0 --read-only --cap-drop ALL \
                --cap-add DAC_READ_SEARCH --security-opt no-new-privileges --label ot-doctor.run=1 --entrypoint python3 \
                --mount "type=bind,source=$socket,target=/var/run/docker.sock" --env DOCKER_HOST=unix:///var/run/docker.sock \
                --mount "type=bind,source=$pyz,target=/ot-doctor.pyz,readonly" \
                --mount "type=bind,source=$folder,target=$folder,readonly" --workdir "$folder" \
                "$image" /ot-doctor.pyz "$@"
        fi
    fi
fi

say "No Python 3.10 or newer was found, no uv, and no image of an OpenTranscribe worker that Docker has."
say "Either install Python, or name an image that has it: OT_DOCTOR_IMAGE=python:3.12-slim sh $0"
exit 2
