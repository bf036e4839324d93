# shellcheck shell=bash
# What the packaging tests share: lines as in TAP, a scratch folder, the staged tree, the built packages.
#
#   . "$(dirname "$0")/lib.sh"
#   check "what should be so" command with arguments
#   finish
#
# The exit status is 0 when nothing failed. Environment: BUILD (build folder, default build), RAYCLUSTER_CACHE (a folder outside
# the checkout for what takes long to make).

set -u
export LC_ALL=C.UTF-8
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$top" || exit 1
BUILD=${BUILD:-build}
if [[ -z ${RAYCLUSTER_CACHE:-} ]]; then
        RAYCLUSTER_CACHE=/var/cache/raycluster-tests
        ((EUID == 0)) || RAYCLUSTER_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/raycluster-tests
fi
scratch=$(mktemp -d "${TMPDIR:-/tmp}/raycluster-pkg.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
# shellcheck disable=SC2034 # of the tests
stage=$scratch/stage
count=0 failed=0

# check TEXT COMMAND...: runs the command; what it printed is shown when it failed.
check()
{
        # Names that a command handed to eval does not use.
        local _text=$1 _out
        shift
        count=$((count + 1))
        if _out=$("$@" 2>&1); then
                echo "ok $count - $_text"
        else
                echo "not ok $count - $_text"
                # shellcheck disable=SC2001 # every line, not the first
                [[ -z $_out ]] || sed 's/^/#   /' <<<"$_out" | head -n 60
                failed=$((failed + 1))
        fi
}

# skip TEXT REASON
skip()
{
        count=$((count + 1))
        echo "ok $count - $1 # SKIP $2"
}

skip_all()
{
        echo "1..1"
        echo "ok 1 - $(basename "$0") # SKIP $1"
        exit 0
}

finish()
{
        echo "1..$count"
        exit $((failed > 0))
}

have() { command -v "$1" >/dev/null; }
fails() { ! "$@"; }
same() { diff <(printf '%s\n' "$1") <(printf '%s\n' "$2"); }
empty() { [[ -z $1 ]] || { printf '%s\n' "$1"; return 1; }; }

# The units as they are installed, in $stage, with paths of programs that exist (systemd-analyze looks).
stage_units()
{
        local s=$stage p
        mkdir -p "$s/libexec/raycluster" "$s/bin"
        for p in ray-headd ray-workerd ray-engine; do
                cp /bin/true "$s/libexec/raycluster/$p" || return 1
        done
        cp /bin/true "$s/bin/raycluster" || return 1
        make -s -f mk/install.mk install-units install-data DESTDIR="$s" unitdir=/units presetdir=/presets \
                sysusersdir=/sysusers tmpfilesdir=/tmpfiles catalogdir=/catalog libexecdir="$s/libexec" bindir="$s/bin"
}

# The built packages: prints the folder with *.deb, *.changes and build.log. Built once for each state of the sources, without the
# unit tests, which are run by themselves.
built_packages()
{
        local key dir
        key=$({ git ls-files -z; git ls-files -z -o --exclude-standard; } 2>/dev/null | sort -zu |
                xargs -0 sha256sum 2>/dev/null | sha256sum | cut -c1-24)
        dir=$RAYCLUSTER_CACHE/packages/$key
        mkdir -p "$RAYCLUSTER_CACHE/packages" || return 1
        (
                flock -w 900 9 || exit 1
                if [[ ! -e $dir/done ]]; then
                        rm -rf "$dir" && DEB_BUILD_OPTIONS=nocheck tests/pkg/build-deb "$dir" >&2 && touch "$dir/done" || exit 1
                fi
                touch "$dir"
                # Keep the three last used.
                find "$RAYCLUSTER_CACHE/packages" -mindepth 1 -maxdepth 1 -type d -printf '%T@ %p\n' | sort -rn | tail -n +4 |
                        cut -d' ' -f2- | xargs -r rm -rf
        ) 9>"$RAYCLUSTER_CACHE/packages/.lock" || return 1
        echo "$dir"
}
