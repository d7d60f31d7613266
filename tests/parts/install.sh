#!/usr/bin/env bash
# Puts a private Docker engine with Compose v2 into a folder, for the tests that need real containers; Podman, promtool, sshd and age, too.
#
# The programs are unpacked there, not installed: the machine's own Docker, if it has one, is neither replaced nor
# started. Only iptables is really installed, and only where it is missing. Debian 12's own engine is years old and
# has no Compose v2, so on that release the packages are taken from the next one.
#
# Usage: tests/parts/install.sh        (as root, on Debian or Ubuntu; run it as often as you like)
# OT_DOCTOR_PARTS names the folder; without it, it is .parts/ at the root of the repository.
set -euo pipefail

readonly here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
readonly parts="${OT_DOCTOR_PARTS:-$(cd "$here/../.." && pwd)/.parts}"
readonly root="$parts/root"

say() { printf 'parts: %s\n' "$*"; }
give_up() { printf 'parts: %s\n' "$*" >&2; exit 1; }

# The unpacked programs run with these folders in front, as tests/parts/engine.py runs them.
in_tree() {
    local tree="$1"
    shift
    env PATH="$tree/usr/bin:$tree/usr/sbin:$tree/bin:$tree/sbin:/usr/sbin:/usr/bin:/sbin:/bin" "$@"
}

runs() { in_tree "$@" >/dev/null 2>&1; }

# Podman needs libraries of the tree, as tests/parts/podman.py gives them to it.
podman_runs() { runs "$1" env LD_LIBRARY_PATH="$(echo "$1"/usr/lib/*-linux-gnu*)" sh -ec 'for p; do "$p" --version; done' - podman crun conmon; }

complete() {
    local tree="$1"
    runs "$tree" dockerd --version && runs "$tree" containerd --version && runs "$tree" runc --version \
        && runs "$tree" docker --version && runs "$tree" docker-init --version \
        && runs "$tree" containerd-shim-runc-v2 -v \
        && runs "$tree" "$tree/usr/libexec/docker/cli-plugins/docker-compose" version \
        && runs "$tree" promtool --version && [ -x "$tree/usr/sbin/sshd" ] && runs "$tree" age --version && podman_runs "$tree" \
        && [ -x "$tree/busybox" ] && runs "$tree" "$tree/busybox" true
}

versions() {
    in_tree "$root" dockerd --version
    in_tree "$root" "$root/usr/libexec/docker/cli-plugins/docker-compose" version
    in_tree "$root" runc --version | head -n 1
}

# apt with lists and a cache of its own (in $1): the system's lists stay as they are.
apt_at() {
    local state="$1" tool="$2"
    shift 2
    "$tool" -q \
        -o APT::Sandbox::User=root \
        -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$state/sources" \
        -o Dir::State::Lists="$state/lists" -o Dir::Cache="$state/cache" \
        "$@"
}

# A place for apt, with the machine's own sources, the name of the release replaced: prepare STATE FROM TO
prepare() {
    local state="$1" from="$2" to="$3" file found=""
    mkdir -p "$state/sources" "$state/lists/partial" "$state/cache/archives/partial"
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
        # A file that never names this release (a vendor's own) has nothing that is wanted here.
        if [ -f "$file" ] && grep -q "$from" "$file"; then
            sed "s/\\b$from\\b/$to/g" "$file" >"$state/sources/$(basename "$file")"
            found=yes
        fi
    done
    [ -n "$found" ] || give_up "no apt source of this machine names its release, $from"
    apt_at "$state" apt-get update >"$state/update.log" 2>&1 || { cat "$state/update.log" >&2; return 1; }
}

# Without grep -q, which would leave early and, with pipefail, make the answer "no".
available() { apt_at "$1" apt-cache policy "$2" 2>/dev/null | grep 'Candidate: [0-9]' >/dev/null; }

# unpack STATE TREE PACKAGE...: downloads the packages, without their dependencies, and unpacks them into the tree.
unpack() {
    local state="$1" tree="$2" package file
    shift 2
    for package in "$@"; do
        mkdir -p "$state/debs/$package"
        (cd "$state/debs/$package" && apt_at "$state" apt-get download "$package" >download.log 2>&1) \
            || { cat "$state/debs/$package/download.log" >&2; give_up "could not download $package"; }
        for file in "$state/debs/$package"/*.deb; do
            dpkg -x "$file" "$tree"
            say "unpacked $(basename "$file")"
        done
    done
}

[ "$(uname -s)" = Linux ] || give_up "the engine needs Linux"
[ "$(id -u)" = 0 ] || give_up "run this as root: the engine needs root anyway"
command -v apt-get >/dev/null && command -v dpkg >/dev/null || give_up "only for Debian and Ubuntu: apt-get and dpkg"

mkdir -p "$parts"
exec 9>"$parts/lock"
flock 9

if PATH="$PATH:/usr/sbin:/sbin" command -v iptables >/dev/null; then
    say "iptables is there"
else
    say "installing iptables"
    install_iptables() { DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends iptables; }
    install_iptables >/dev/null 2>&1 || { apt-get -qq update && install_iptables >/dev/null; }
fi

if complete "$root"; then
    say "the engine is there, in $root"
    versions | sed 's/^/parts: /'
    exit 0
fi

# shellcheck source=/dev/null
. /etc/os-release
release="${VERSION_CODENAME:-}"
[ -n "$release" ] || give_up "this machine's release has no name in /etc/os-release"
case "$release" in
    bookworm) wanted=trixie ;;
    *) wanted="$release" ;;
esac

work="$(mktemp -d "$parts/work.XXXXXX")"
trap 'rm -rf "$work"' EXIT
tree="$work/root"
mkdir -p "$tree"

say "reading the package lists of $wanted"
prepare "$work/wanted" "$release" "$wanted"
own="$work/wanted"

packages=(docker.io containerd runc tini)
if available "$work/wanted" docker-cli; then packages+=(docker-cli); fi
if available "$work/wanted" docker-compose-v2; then
    packages+=(docker-compose-v2)
else
    packages+=(docker-compose)
fi
unpack "$work/wanted" "$tree" "${packages[@]}"

# Two of them are C programs that want a newer C library than the release before has; its own do as well.
for pair in runc:runc docker-init:tini; do
    if ! runs "$tree" "${pair%%:*}" --version; then
        if [ "$own" = "$work/wanted" ]; then
            [ "$wanted" != "$release" ] || give_up "${pair%%:*} does not run on this machine"
            say "reading the package lists of $release"
            prepare "$work/own" "$release" "$release"
            own="$work/own"
        fi
        say "${pair%%:*} of $wanted does not run here; taking that of $release"
        if [ "${pair##*:}" = runc ]; then rm -f "$tree/usr/sbin/runc" "$tree/usr/bin/runc"; fi
        unpack "$own" "$tree" "${pair##*:}"
    fi
done

# Of this release, whose libraries they share: promtool tests the alerts of docs/fleet, sshd is the other machine, age encrypts.
if [ "$wanted" != "$release" ] && [ "$own" = "$work/wanted" ]; then
    prepare "$work/own" "$release" "$release"
    own="$work/own"
fi
unpack "$own" "$tree" prometheus openssh-server libwrap0 age

# Of what Podman depends on, that which this machine does not have, as apt works it out.
missing() {
    apt_at "$own" apt-get --simulate install --no-install-recommends "$@" | awk '$1 == "Inst" && $3 !~ /^\[/ { print $2 }'
}
# shellcheck disable=SC2046  # a word for each package
unpack "$own" "$tree" $(missing podman crun conmon netavark slirp4netns fuse-overlayfs uidmap catatonit)

# The programs of the images. Unpacked on its own: installing it could push out the system's busybox.
unpack "$own" "$work/busybox" busybox-static
for file in "$work/busybox/usr/bin/busybox" "$work/busybox/bin/busybox"; do
    if [ -f "$file" ]; then cp "$file" "$tree/busybox"; fi
done

if ! complete "$tree"; then
    in_tree "$tree" bash -c 'for p in dockerd containerd runc docker docker-init; do "$p" --version || true; done' >&2
    give_up "unpacked, but not all of it runs on this machine"
fi
rm -rf "$root"
mv "$tree" "$root"
say "the engine is in $root"
versions | sed 's/^/parts: /'
