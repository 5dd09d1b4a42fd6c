#!/usr/bin/env bash
# Finds a Chromium for the browser tests, or installs one, and writes its path into the file named by $1.
#
# In this order: $CHROMIUM, an installed one, apt-get as root, apt-get through sudo without a password, and
# Debian's packages unpacked into .cache/ by a plain user. CHROMIUM_FROM=unpack skips to the last one.
set -euo pipefail
cd "$(dirname "$0")/../.."
answer=${1:-.cache/chromium.path}
folder=$PWD/.cache/chromium

say() { echo "browser: $*" >&2; }

profile=$(mktemp -d "${TMPDIR:-/tmp}/chromium.XXXXXX")
trap 'rm -rf "$profile"' EXIT

works() {
    [ -x "$1" ] && timeout 60 "$1" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
        --user-data-dir="$profile" --dump-dom about:blank 2>/dev/null | grep -q '<html'
}

found() {
    mkdir -p "$(dirname "$answer")"
    printf '%s\n' "$1" >"$answer"
    exit 0
}

installed() {
    local name path
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        path=$(command -v "$name") && works "$path" && found "$path"
    done
    return 1
}

# What apt would install here, unpacked below .cache/ and started with its own libraries.
unpack() {
    local apt=(apt-get -qq -o Dir::State="$folder/state" -o Dir::Cache="$folder/cache"
        -o Dir::State::status="${DPKG_STATUS:-/var/lib/dpkg/status}" -o Debug::NoLocking=true
        -o APT::Sandbox::User= -o APT::Install-Recommends=false -o APT::Get::Assume-Yes=true)
    rm -rf "$folder"
    mkdir -p "$folder/state/lists/partial" "$folder/cache/archives/partial" "$folder/root"
    "${apt[@]}" update >&2
    "${apt[@]}" install --download-only chromium >&2
    local package
    for package in "$folder"/cache/archives/*.deb; do
        dpkg-deb --extract "$package" "$folder/root"
    done
    rm -rf "$folder/cache" "$folder/state"
    local libraries
    libraries=$(find "$folder/root" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
    cat >"$folder/chromium" <<WRAPPER
#!/bin/sh
export LD_LIBRARY_PATH='$libraries'"\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
export XDG_DATA_DIRS='$folder/root/usr/share'"\${XDG_DATA_DIRS:+:\$XDG_DATA_DIRS}:/usr/share"
[ -e /etc/fonts/fonts.conf ] || export FONTCONFIG_FILE='$folder/fonts.conf'
exec '$folder/root/usr/lib/chromium/chromium' "\$@"
WRAPPER
    chmod +x "$folder/chromium"
    cat >"$folder/fonts.conf" <<FONTS
<?xml version="1.0"?>
<fontconfig>
  <dir>$folder/root/usr/share/fonts</dir>
  <cachedir>$folder/fonts</cachedir>
</fontconfig>
FONTS
}

if [ -s "$answer" ] && [ -z "${CHROMIUM:-}" ] && [ -x "$(cat "$answer")" ]; then
    exit 0
fi
if [ -n "${CHROMIUM:-}" ]; then
    works "$CHROMIUM" && found "$CHROMIUM"
    say "CHROMIUM=$CHROMIUM does not start" && exit 1
fi
if [ "${CHROMIUM_FROM:-}" != unpack ]; then
    installed || true
fi
works "$folder/chromium" && found "$folder/chromium"
if ! command -v apt-get >/dev/null; then
    say "no Chromium and no apt-get here: install Chromium, or set CHROMIUM to its path" && exit 1
fi

export DEBIAN_FRONTEND=noninteractive
as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo -n --preserve-env=DEBIAN_FRONTEND)
if [ "${CHROMIUM_FROM:-}" != unpack ] && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; then
    say "installing Chromium with apt-get …"
    "${as_root[@]}" apt-get -qq update >/dev/null
    "${as_root[@]}" apt-get -qq install --yes --no-install-recommends chromium >/dev/null
    installed || true
    say "Chromium was installed but does not start" && exit 1
fi
say "fetching Debian's Chromium into .cache/ (once, a few minutes) …"
unpack
works "$folder/chromium" && found "$folder/chromium"
say "the fetched Chromium does not start; its complaint:"
"$folder/chromium" --headless --no-sandbox --disable-gpu --dump-dom about:blank >&2 || true
exit 1
