#!/usr/bin/env bash
# Puts a Python that this Debian release does not have into a folder, from a newer release: tests/parts/python.sh 3.14 FOLDER
#
# Nothing is installed. The interpreter is told where its own C library is, since it needs a newer one than the machine has.
# It prints the path of the interpreter, and ends with another code than 0 where there is none. A virtual environment needs
# --without-pip: the wheel of pip is in FOLDER/root/usr/share/python-wheels.
set -euo pipefail
[ $# = 2 ] || { echo "usage: $0 VERSION FOLDER" >&2; exit 2; }
readonly version="$1" folder="$(mkdir -p "$2" && cd "$2" && pwd)" release=forky
readonly root="$folder/root" state="$folder/apt" keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ "$(id -u)" = 0 ] && [ -f "$keyring" ] && command -v apt-get dpkg >/dev/null || { echo "only as root on Debian" >&2; exit 1; }

mkdir -p "$state/sources" "$state/lists/partial" "$state/cache/archives/partial" "$state/debs" "$root"
printf 'Types: deb\nURIs: http://deb.debian.org/debian\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$release" "$keyring" >"$state/sources/newer.sources"
apt_there() {
    apt-get -q -o APT::Sandbox::User=root -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$state/sources" \
        -o Dir::State::Lists="$state/lists" -o Dir::Cache="$state/cache" "$@"
}
{
    apt_there update
    cd "$state/debs" && apt_there download "python$version" "python$version-minimal" "libpython$version-minimal" "libpython$version-stdlib" "python$version-venv" \
        python3-pip-whl libc6 libgcc-s1 libstdc++6 libexpat1 zlib1g libssl3t64 libffi8 libsqlite3-0 libbz2-1.0 liblzma5 libzstd1 \
        libreadline8t64 libncursesw6 libtinfo6 libuuid1 libcrypt1 libdb5.3t64
    for file in *.deb; do dpkg -x "$file" "$root"; done
    # This release's own patchelf: what the newest one writes does not start.
    mkdir -p "$state/patchelf" && cd "$state/patchelf"
    apt-get -q download patchelf || { apt-get -q update && apt-get -q download patchelf; }
    dpkg -x patchelf*.deb .
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 1; }

libraries="$(dirname "$(find "$root" -name libc.so.6 | head -n 1)")"
loader="$(find "$libraries" -name 'ld-linux-*.so.*' | head -n 1)"
"$state/patchelf/usr/bin/patchelf" --set-interpreter "$loader" --force-rpath --set-rpath "$libraries" "$root/usr/bin/python$version"
python="$root/usr/bin/python$version"
"$python" -c 'import ctypes, sqlite3, ssl'
echo "$python"
