# shellcheck shell=bash disable=SC2034,SC2317 # read and called by who sources this
# SPDX-License-Identifier: Apache-2.0
#
# What tests of the GCS client against real Ray begin with; sourced. ray: its command, RAY=/path/to/ray
# or else out of the engine's package in the cache; without either the test is over, skipped. Then a
# folder of the test's own ($dir), an address ($a) and a token, TAP (ok, says, await), and the
# arguments of a head ($head_args), whose log is $dir/head.log, and a wait for it (await_head).
set -u
build=${BUILD:?run by tests/net/run}
cache=${RAYCLUSTER_CACHE:-/var/cache/raycluster-tests}
call=$build/tests/fake/gcs-call
a=10.77.0.1
dir=$(mktemp -d /tmp/ray-real-XXXXXX) || exit 1
trap 'rm -rf "$dir"' EXIT

if [ -n "${RAY:-}" ]; then
        ray=("$RAY")
else
        # newest first; file names of our own making
        # shellcheck disable=SC2012
        deb=$(ls -t "$cache"/engine/2.60.*/raycluster-engine-2.60_*.deb 2>/dev/null | head -n 1)
        if [ -z "$deb" ]; then
                echo "1..0 # SKIP no RAY= given and no engine built in $cache"
                exit 0
        fi
        dpkg-deb -x "$deb" "$dir/engine" || exit 1
        venv=$(echo "$dir"/engine/usr/lib/raycluster-engine/*)
        ray=("$venv/bin/python" "$venv/bin/ray")
fi

n=0
ok() { # NAME COMMAND…: it succeeds
        local name=$1
        shift
        n=$((n + 1))
        if "$@" >"$dir/out" 2>&1; then
                echo "ok $n - $name"
        else
                echo "not ok $n - $name"
                sed 's/^/# /' "$dir/out"
        fi
}
says() { # TEXT COMMAND…: what it prints, or complains, has TEXT (a grep -E pattern)
        local text=$1
        shift
        "$@" 2>&1 | tee "$dir/said" | grep -qE -- "$text" || { cat "$dir/said"; return 1; }
}
await() { # SECONDS COMMAND…
        local end=$((SECONDS + $1))
        shift
        until "$@"; do
                [ $SECONDS -lt $end ] || return 1
                read -rt 0.3 <>"$dir/tick" || true
        done
}
mkfifo "$dir/tick"

ip addr add "$a"/32 dev lo
token=0123456789abcdef0123456789abcdef
echo $token >"$dir/token"
mkdir "$dir/home"
head_args=(--head --node-ip-address="$a" --port=6379 --node-manager-port=6380
        --object-manager-port=6381 --runtime-env-agent-port=6382 --dashboard-agent-grpc-port=6383
        --metrics-export-port=6384 --dashboard-agent-listen-port=6385
        --object-store-memory=100000000 --temp-dir="$dir/t"
        --no-monitor --include-log-monitor=false --disable-usage-stats --block)
version=$("${ray[@]}" --version | sed 's/.*version //')

await_head() { # COMMAND…: gcs-call, with all that it needs
        is_alive() { "$@" nodes 2>/dev/null | grep -q ' alive head '; }
        await 90 is_alive "$@" && return
        sed 's/^/# /' "$dir/head.log"
        echo "not ok 1 - the head comes up"
        echo "1..1"
        exit 1
}
