#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The GCS client against real Ray: a head with token authentication, every call of gcs/client.h, the
# calls that would have killed it. RAY=/path/to/ray, else the engine's package out of the cache.
# Run by tests/net/run, in namespaces of its own: whatever it starts ends with it.
set -u
build=${BUILD:?run by tests/net/run}
cache=${RAYCLUSTER_CACHE:-/var/cache/raycluster-tests}
call=$build/tests/fake/gcs-call
a=10.77.0.1
dir=$(mktemp -d /tmp/gcs-real-XXXXXX) || exit 1
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

ip addr add $a/32 dev lo
token=0123456789abcdef0123456789abcdef
echo $token >"$dir/token"
mkdir "$dir/home"
env -i PATH="$PATH" HOME="$dir/home" RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$dir/token" \
        RAY_USAGE_STATS_ENABLED=0 RAY_CLOUD_INSTANCE_ID=me RAY_NODE_TYPE_NAME=group1 \
        "${ray[@]}" start --head --node-ip-address=$a --port=6379 --node-manager-port=6380 \
        --object-manager-port=6381 --runtime-env-agent-port=6382 --dashboard-agent-grpc-port=6383 \
        --metrics-export-port=6384 --dashboard-agent-listen-port=6385 --num-cpus=2 \
        --object-store-memory=100000000 --temp-dir="$dir/t" --include-dashboard=false \
        --no-monitor --include-log-monitor=false --disable-usage-stats --block \
        >"$dir/head.log" 2>&1 &
head=$!

gcs() { "$call" --token $token $a:6379 "$@"; }
raylet() { "$call" --token $token $a:6380 "$@"; }
bare() { "$call" $a:6379 "$@"; }
version=$("${ray[@]}" --version | sed 's/.*version //')
python=$("$(dirname "${ray[-1]}")/python" -c 'import platform; print(platform.python_version())')

is_alive() { gcs nodes 2>/dev/null | grep -q ' alive head '; }
if ! await 90 is_alive; then
        sed 's/^/# /' "$dir/head.log"
        echo "not ok 1 - the head comes up"
        echo "1..1"
        exit 1
fi
id=$(gcs nodes | sed -n '1s/ .*//p')

ok "CheckAlive says the version" says "^$version\$" gcs alive
ok "GetClusterId: 56 hex digits" says '^[0-9a-f]{56}$' gcs id
ok "versions as Ray's own start compares them" says "^ray $version python $python\$" gcs versions
ok "the node with its instance id and group" says "alive head $a:6380 .*instance=me group=group1" gcs nodes
# what a node has reaches this table a moment after the node
ok "GetClusterStatus: what is available" await 10 says 'CPU=2/2' gcs cluster
ok "no pending demand" says '^pending 0 in 0 shapes$' gcs cluster
ok "by id: one node" says '^nodes 1 dropped 0 alive 1$' gcs node "$id"
ok "by another id: none" says '^nodes 0 ' gcs node "$(printf %056d 7)"
ok "by address: one node" says '^nodes 1 ' gcs at $a
ok "by another address: none" says '^nodes 0 ' gcs at 10.77.0.9
ok "the head's node" says '^nodes 1 ' gcs head
ok "KV: a key" says '^session_' gcs kv session session_name
ok "KV: no such key" says '^not-found: ' gcs kv session nothing
ok "health of the GCS" says '^ok$' gcs health
ok "health asks for no token" says '^ok$' bare health
ok "health of the raylet" says '^ok$' raylet health
has_agents() { read -r dashboard runtime_env < <(raylet agents) && [ "${runtime_env:-0}" -gt 0 ]; }
await 10 has_agents
ok "the dashboard agent's pid" grep -qaiE 'dashboard_?agent|dashboard/agent' "/proc/${dashboard:-0}/cmdline"
ok "the runtime environment agent's pid" grep -qaiE 'runtime_?env_?agent|runtime_env/agent' "/proc/${runtime_env:-0}/cmdline"
ok "no token" says '^token: .*missing' bare alive
ok "a wrong token" says '^token: .*wrong' "$call" --token wrong $a:6379 alive
ok "the raylet is no GCS" says '^not-ray: ' raylet alive
ok "HTTP/1 is no GCS" await 10 says '^not-grpc: ' "$call" $a:6385 alive
ok "draining an unknown node" says '^not-found: ' gcs drain "$(printf %056d 7)" preemption x 60000
ok "no reason, no drain" says 'Invalid argument' gcs drain "$(printf '%056d' 0)" preemption x 60000
ok "draining the node" says '^ok$' gcs drain "$id" preemption "a test" 60000
# idle as it is it ends by itself, with our words as the reason
ok "and it ends for that reason" await 30 says 'dead head.*reason="a test"' gcs nodes
ok "the GCS has survived all this" says "^$version\$" gcs alive

kill -STOP "$(pgrep -x gcs_server)"
ok "a frozen GCS: no answer in time" says '^timeout: .*did not answer within 300ms' \
        "$call" --timeout 300ms --token $token $a:6379 alive
kill -CONT "$(pgrep -x gcs_server)"
kill -KILL "$(pgrep -x gcs_server)"
is_refused() { gcs alive 2>&1 | grep -q 'Connection refused'; }
ok "a dead GCS: refused" await 10 is_refused
kill -INT $head 2>/dev/null
wait $head
echo "1..$n"
