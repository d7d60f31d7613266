#!/bin/sh
# Runs ot-doctor.pyz, which lies beside this file, with what there is: Python 3.10 or newer, uv, or the Python in the worker's own
# image. Nothing is installed, and nothing is downloaded unless uv fetches a Python. Usage: sh ot-doctor.sh [OPTIONS OF ot-doctor]
#
# OT_DOCTOR_WITH=python|uv|image   only that way
# OT_DOCTOR_IMAGE=NAME             the image with a Python, instead of the worker's own
#
# In the image, ot-doctor sees this folder and what the worker has mounted, read-only, and the Docker engine: run it in the
# OpenTranscribe folder.
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

# Whether the container should get a path of this machine: one that is outside of the folder, and that it does not have yet.
wanted() {
    case $1 in "$folder"/* | [!/]* | *,* | '') return 1 ;; esac
    case $seen in *"|$1|"*) return 1 ;; esac
    seen="$seen$1|"
}

# The worker's image has a Python. It gets the engine's socket, this folder, the Compose files in use and what the worker has
# mounted, at the same paths: what it did not see would be taken for what is not there. And no network but the host's.
if [ -z "$way" ] || [ "$way" = image ]; then
    if command -v "$docker" >/dev/null 2>&1; then
        worker=
        for service in celery-worker celery-worker-gpu-scaled celery-worker-gpu-diarize; do
            [ -n "$worker" ] || worker=$("$docker" ps --all --quiet --filter "label=com.docker.compose.service=$service" 2>/dev/null | head -n 1)
        done
        say_of() { "$docker" inspect --format "$1" "$worker" 2>/dev/null; }
        image=${OT_DOCTOR_IMAGE:-}
        [ -n "$image" ] || [ -z "$worker" ] || image=$(say_of '{{.Config.Image}}')
        socket=${DOCKER_HOST:-unix:///var/run/docker.sock}
        case $socket in unix://*) socket=${socket#unix://} ;; *) socket= ;; esac
        if [ -n "$image" ] && [ -n "$socket" ]; then
            folder=$(pwd) || exit 2
            terminal=
            if [ -t 0 ] && [ -t 1 ]; then terminal=--tty; fi
            set -- "$image" /ot-doctor.pyz "$@"
            seen="|/|$socket|"
            set -f
            IFS='
'
            for mount in $(say_of '{{range .Mounts}}{{println .Type .Name .Source}}{{end}}'); do
                kind=${mount%% *} mount=${mount#* }
                name=${mount%% *} path=${mount#* }
                case $kind in
                bind) [ -e "$path" ] && wanted "$path" && set -- --mount "type=bind,source=$path,target=$path,readonly" "$@" ;;
                volume) wanted "$path" && set -- --mount "type=volume,source=$name,target=$path,volume-nocopy,readonly" "$@" ;;
                esac
            done
            IFS=,
            for label in config_files environment_file; do
                for path in $(say_of "{{index .Config.Labels \"com.docker.compose.project.$label\"}}"); do
                    [ -e "$path" ] && wanted "$path" && set -- --mount "type=bind,source=$path,target=$path,readonly" "$@"
                done
            done
            unset IFS
            set +f
            # --user 0:0: only root may use the socket everywhere. Nothing in the folders can be written to.
            exec "$docker" run --rm --interactive ${terminal:+"$terminal"} --pull never --network host --user 0:0 --read-only --cap-drop ALL \
                --cap-add DAC_READ_SEARCH --security-opt no-new-privileges --label ot-doctor.run=1 --entrypoint python3 \
                --mount "type=bind,source=$socket,target=/var/run/docker.sock" --env DOCKER_HOST=unix:///var/run/docker.sock \
                --mount "type=bind,source=$pyz,target=/ot-doctor.pyz,readonly" \
                --mount "type=bind,source=$folder,target=$folder,readonly" --workdir "$folder" \
                "$@"
        fi
    fi
fi

say "No Python 3.10 or newer was found, no uv, and no image of an OpenTranscribe worker that Docker has."
say "Either install Python, or name an image that has it: OT_DOCTOR_IMAGE=python:3.12-slim sh $0"
exit 2
