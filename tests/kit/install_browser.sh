#!/usr/bin/env bash
# Finds what the browser tests need, or installs it: a Chromium, whose path goes into .cache/chromium.path, and
# a Node.js that starts for the driver of the tests, whose path goes into .cache/node.path. The Chromium without
# windows is preferred: tests take half of the time with it.
#
# Chromium is, in this order: $CHROMIUM, the one found last time, an installed one, apt-get's as root, apt-get's
# through sudo without a password, and Debian's packages unpacked into .cache/ by a plain user. The driver brings
# its Node.js along; a bare Debian lacks one library for it, which comes by the same ways.
# CHROMIUM_FROM=unpack skips to the last one.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/../.."
cache=$PWD/.cache
mkdir -p "$cache"

say() { echo "browser: $*" >&2; }

profile=$(mktemp -d "${TMPDIR:-/tmp}/chromium.XXXXXX")
trap 'rm -rf "$profile"' EXIT

# --- packages ---

export DEBIAN_FRONTEND=noninteractive
as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo -n --preserve-env=DEBIAN_FRONTEND)

may_install() {
    [ "${CHROMIUM_FROM:-}" != unpack ] && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
}

needs_apt() {
    command -v apt-get >/dev/null || { say "there is no apt-get here: $*" && exit 1; }
}

install() {
    say "installing $* with apt-get …"
    "${as_root[@]}" apt-get -qq update >/dev/null
    "${as_root[@]}" apt-get -qq install --yes --no-install-recommends "$@" >/dev/null
}

# What apt would install here, unpacked into the folder $1.
unpack() {
    local folder=$1 package
    shift
    say "fetching Debian's $* into .cache/ (once) …"
    local apt=(apt-get -qq -o Dir::State="$folder/state" -o Dir::Cache="$folder/cache"
        -o Dir::State::status="${DPKG_STATUS:-/var/lib/dpkg/status}" -o Debug::NoLocking=true
        -o APT::Sandbox::User= -o APT::Install-Recommends=false -o APT::Get::Assume-Yes=true)
    rm -rf "$folder"
    mkdir -p "$folder/state/lists/partial" "$folder/cache/archives/partial" "$folder/root"
    "${apt[@]}" update >&2
    "${apt[@]}" install --download-only "$@" >&2
    for package in "$folder"/cache/archives/*.deb; do
        dpkg-deb --extract "$package" "$folder/root"
    done
    rm -rf "$folder/cache" "$folder/state"
}

libraries_in() {
    find "$1/root" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:
}

# --- Chromium ---

works() {
    [ -x "$1" ] && timeout 60 "$1" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
        --user-data-dir="$profile" --dump-dom about:blank 2>/dev/null | grep -q '<html'
}

installed_chromium() {
    local name path
    for name in chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable; do
        path=$(command -v "$name") && works "$path" && echo "$path" && return
    done
    return 1
}

unpacked_chromium() {
    local folder=$cache/chromium
    unpack "$folder" chromium-headless-shell
    cat >"$folder/chromium" <<WRAPPER
#!/bin/sh
export LD_LIBRARY_PATH='$(libraries_in "$folder")'"\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
export XDG_DATA_DIRS='$folder/root/usr/share'"\${XDG_DATA_DIRS:+:\$XDG_DATA_DIRS}:/usr/share"
[ -e /etc/fonts/fonts.conf ] || export FONTCONFIG_FILE='$folder/fonts.conf'
exec '$folder/root/usr/lib/chromium/chromium-headless-shell' "\$@"
WRAPPER
    chmod +x "$folder/chromium"
    cat >"$folder/fonts.conf" <<FONTS
<?xml version="1.0"?>
<fontconfig>
  <dir>$folder/root/usr/share/fonts</dir>
  <cachedir>$folder/fonts</cachedir>
</fontconfig>
FONTS
    works "$folder/chromium" && echo "$folder/chromium" && return
    say "the fetched Chromium does not start; its complaint:"
    "$folder/chromium" --headless --no-sandbox --disable-gpu --dump-dom about:blank >&2 || true
    return 1
}

find_chromium() {
    local last=$cache/chromium.path
    if [ -n "${CHROMIUM:-}" ]; then
        works "$CHROMIUM" && echo "$CHROMIUM" && return
        say "CHROMIUM=$CHROMIUM does not start"
        return 1
    fi
    [ -s "$last" ] && [ -x "$(cat "$last")" ] && cat "$last" && return
    [ "${CHROMIUM_FROM:-}" != unpack ] && installed_chromium && return
    works "$cache/chromium/chromium" && echo "$cache/chromium/chromium" && return
    needs_apt "install Chromium, or set CHROMIUM to its path"
    if may_install; then
        install chromium-headless-shell
        installed_chromium && return
        say "Chromium was installed but does not start"
        return 1
    fi
    unpacked_chromium
}

# --- the driver's Node.js ---

find_node() {
    local own folder=$cache/node
    own=$(compgen -G "$PWD/.venv/lib/python3*/site-packages/playwright/driver/node") || return 0
    "$own" --version >/dev/null 2>&1 && echo "$own" && return
    "$folder/node" --version >/dev/null 2>&1 && echo "$folder/node" && return
    needs_apt "the tests' driver lacks a library: $("$own" --version 2>&1)"
    if may_install; then
        install libatomic1
        "$own" --version >/dev/null && echo "$own"
        return
    fi
    unpack "$folder" libatomic1
    cat >"$folder/node" <<WRAPPER
#!/bin/sh
export LD_LIBRARY_PATH='$(libraries_in "$folder")'"\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
exec '$own' "\$@"
WRAPPER
    chmod +x "$folder/node"
    "$folder/node" --version >/dev/null && echo "$folder/node"
}

chromium=$(find_chromium)
node=${PLAYWRIGHT_NODEJS_PATH:-$(find_node)}
printf '%s\n' "$chromium" >"$cache/chromium.path"
printf '%s\n' "$node" >"$cache/node.path"
