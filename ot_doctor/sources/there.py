"""What another machine's shell is told: find a Python, else the worker's own image, and run the file that is sent with it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ot_doctor.evidence.releases import services

NO_PYTHON = 97  # an exit code that no doctor has
_PYTHONS = "python3 python3.14 python3.13 python3.12 python3.11 python3.10"
# Reads the single file from standard input into a file that has no name any more when it is run. Arguments: the file's size; the
# variables that the doctor gets, separated by commas, or "-" for all; the doctor's own arguments. The end of standard input
# is the end of the doctor: nobody is there to read what it says.
LOADER = (
    "import os,subprocess,sys,tempfile,threading,time;"
    f"sys.version_info<(3,10) and sys.exit({NO_PYTHON});"
    "n=int(sys.argv[1]);b=sys.stdin.buffer.read(n);"
    'len(b)==n or sys.exit("ot-doctor: the connection was cut");'
    'd=[d for d in (os.environ.get("XDG_RUNTIME_DIR"),"/dev/shm") if d and os.access(d,os.W_OK)]+[None];'
    'f,p=tempfile.mkstemp(".pyz","ot-doctor-",d[0]);os.fdopen(os.dup(f),"wb").write(b);q="/proc/self/fd/%d"%f;'
    "k=os.path.exists(q);"
    "k and os.unlink(p);"
    'v=sys.argv[2].split(",");e={a:x for a,x in os.environ.items() if v==["-"] or a in v};'
    'r=subprocess.Popen([sys.executable,"-I",q if k else p]+sys.argv[3:],pass_fds=[f],stdin=subprocess.DEVNULL,env=e);'
    "w=lambda:(os.read(0,1),r.terminate(),time.sleep(2),r.kill());"
    "threading.Thread(target=w,daemon=True).start();"
    "c=r.wait();k or os.unlink(p);sys.exit(c)"
)
_PROXIES = "HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy"
# Not the image's own variables: they would be taken for those of a shell in which Compose is called.
_KEPT = ",".join(("PATH", "HOME", "DOCKER_HOST", *_PROXIES.split()))
_CONFINED = (
    "--rm --interactive --pull never --network host --user 0:0 --read-only --tmpfs /tmp --cap-drop ALL --cap-add DAC_READ_SEARCH "
    "--security-opt no-new-privileges --security-opt label=disable --label ot-doctor.probe=run --entrypoint python3"
)
# One line, without a single quote in it, for whatever shell the account has: it is given to "sh -c". The container sees, at the
# same paths and read-only, the folder, the Compose files in use, and what the worker has mounted: a path that the doctor did
# not see would be one that is not there.
_SCRIPT = " ".join(f"""
loader=$1; size=$2; folder=$3; shift 3; p=;
for c in {_PYTHONS}; do
  if command -v $c >/dev/null 2>&1 && $c -c "import sys; sys.exit(sys.version_info < (3, 10))" </dev/null >/dev/null 2>&1;
  then p=$c; break; fi;
done;
if [ -z "$p" ] && command -v uv >/dev/null 2>&1;
  then p=$(UV_PYTHON_DOWNLOADS=never UV_NO_CACHE=1 uv python find --no-project ">=3.10" </dev/null 2>/dev/null); fi;
if [ -n "$p" ]; then exec "$p" -I -c "$loader" "$size" - "$@"; fi;

command -v docker >/dev/null 2>&1 || exit {NO_PYTHON};
socket=$(docker context inspect --format "{{{{.Endpoints.docker.Host}}}}" </dev/null 2>/dev/null); socket=${{socket#unix://}};
[ -S "$socket" ] || exit {NO_PYTHON};
label=label=com.docker.compose; w=;
for s in SERVICES; do
  [ -n "$w" ] || w=$(docker ps -aq --filter $label.service=$s
    ${{folder:+--filter "$label.project.working_dir=$folder"}} </dev/null | head -n 1);
done;
[ -n "$w" ] || exit {NO_PYTHON};
say() {{ docker inspect --format "$1" "$w" </dev/null; }};
of_compose() {{ say "{{{{index .Config.Labels \\"com.docker.compose.project.$1\\"}}}}"; }};
[ -n "$folder" ] || folder=$(of_compose working_dir);
set -- "$(say "{{{{.Image}}}}")" -I -c "$loader" "$size" {_KEPT} "$@";
seen="|/|$socket|";
see() {{ case $2 in "$folder"/* | [!/]* | *,* | "") return 1;; esac;
  case $seen in *"|$2|"*) return 1;; esac;
  [ "$1" = volume ] || [ -e "$2" ] || return 1; seen="$seen$2|"; }};
set -f; IFS=$(printf "\\nx"); IFS=${{IFS%x}};
for m in $(say "{{{{range .Mounts}}}}{{{{println .Type .Name .Source}}}}{{{{end}}}}"); do
  kind=${{m%% *}}; m=${{m#* }}; name=${{m%% *}}; path=${{m#* }};
  case $kind in
    bind) see bind "$path" && set -- --mount "type=bind,source=$path,target=$path,readonly" "$@";;
    volume) see volume "$path" && set -- --mount "type=volume,source=$name,target=$path,volume-nocopy,readonly" "$@";;
  esac;
done;
IFS=,; for path in $(of_compose config_files) $(of_compose environment_file); do
  see bind "$path" && set -- --mount "type=bind,source=$path,target=$path,readonly" "$@";
done; unset IFS; set +f;
if [ -d "$folder" ];
  then set -- --mount "type=bind,\\"source=$folder\\",\\"target=$folder\\",readonly" --workdir "$folder" "$@"; fi;
for e in {_PROXIES}; do set -- --env $e "$@"; done;
docker run {_CONFINED} --mount type=bind,source="$socket",target=/var/run/docker.sock
  --env DOCKER_HOST=unix:///var/run/docker.sock "$@"; c=$?;
case $c in 125 | 126 | 127) exit {NO_PYTHON};; esac; exit $c
""".split())


def line_for(size: int, arguments: Sequence[str], folder: str) -> str:
    """The command line for a file of ``size`` bytes. ``folder``: of the installation there; empty where it is not known."""
    script = _SCRIPT.replace("SERVICES", " ".join(services("diarizer")))
    return shlex.join(["sh", "-c", script, "ot-doctor", LOADER, str(size), folder, *arguments])
