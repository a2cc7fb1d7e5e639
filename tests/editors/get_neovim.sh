#!/bin/sh
# Fetches a Neovim from a Debian release into a separate folder, with the libc that it was built for: the system
# does not change, and the Neovim of a newer release runs on an older one. Prints the program's path on stdout.
#
# usage: get_neovim.sh DIR [RELEASE]     RELEASE is forky (Neovim 0.12) unless given; trixie has 0.10
set -eu

dir=${1:?usage: get_neovim.sh DIR [RELEASE]}
release=${2:-forky}

fail() {
    echo "get_neovim.sh: $*" >&2
    exit 1
}

if test -x "$dir/nvim" && "$dir/nvim" --version >/dev/null 2>&1; then
    echo "$dir/nvim"
    exit 0
fi
for program in apt-get apt-cache dpkg-deb; do
    command -v "$program" >/dev/null || fail "$program of Debian or Ubuntu is missing; install Neovim by other means"
done
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
test -r "$keyring" || fail "the package debian-archive-keyring is missing"

mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
    grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n 1 | tr -d ' ') || true
test -n "$mirror" || fail "no Debian mirror is configured in /etc/apt"

mkdir -p "$(dirname "$dir")"
new=$(mktemp -d "$dir.new.XXXXXX")
trap 'rm -rf "$new"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$new/apt/lists/partial" "$new/apt/cache/archives/partial" "$new/debs" "$new/root"
: >"$new/apt/status" # nothing counts as installed, so that everything that it needs is fetched
echo "deb [signed-by=$keyring] $mirror $release main" >"$new/apt/sources.list"

apt() {
    tool=$1
    shift
    "$tool" -o Dir::Etc::sourcelist="$new/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferencesparts=/dev/null -o Dir::State="$new/apt" -o Dir::State::lists="$new/apt/lists" \
        -o Dir::State::status="$new/apt/status" -o Dir::Cache="$new/apt/cache" -o APT::Sandbox::User=root \
        -o Acquire::Retries=3 -o Acquire::Languages=none -q=2 "$@"
}

apt apt-get update >&2 || fail "the package lists of $release cannot be fetched from $mirror"
packages=$(apt apt-cache depends --recurse --no-pre-depends --no-recommends --no-suggests --no-conflicts \
    --no-breaks --no-replaces --no-enhances neovim | grep -E '^[a-z0-9]' | grep -vE ':|^(gcc|debconf|perl|python)' | sort -u)
test -n "$packages" || fail "$release has no neovim"
# shellcheck disable=SC2086 # a list
(cd "$new/debs" && apt apt-get download $packages >&2) || fail "the packages cannot be fetched from $mirror"
for deb in "$new"/debs/*.deb; do
    dpkg-deb -x "$deb" "$new/root"
done
rm -rf "$new/debs" "$new/apt"

cat >"$new/nvim" <<'WRAPPER'
#!/bin/sh
root=$(dirname "$(readlink -f "$0")")/root
for loader in "$root"/usr/lib/*/ld-linux-*.so.*; do break; done
VIMRUNTIME=$root/usr/share/nvim/runtime
export VIMRUNTIME
# Neovim looks for its parsers beside the running program, which is the loader.
exec "$loader" --library-path "$(dirname "$loader")" --argv0 nvim "$root/usr/bin/nvim" \
    --cmd "set runtimepath+=$root/usr/lib/nvim" "$@"
WRAPPER
chmod +x "$new/nvim"
"$new/nvim" --version >/dev/null || fail "the Neovim of $release does not run on this machine"
rm -rf "$dir"
mv "$new" "$dir"
trap - EXIT
echo "$dir/nvim"
