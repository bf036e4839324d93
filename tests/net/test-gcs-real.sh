#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The GCS client against real Ray: a head with token authentication, every call of gcs/client.h, the
# calls that would have killed it. RAY=/path/to/ray, else the engine's package out of the cache.
# Run by tests/net/run, in namespaces of its own: whatever it starts ends with it.
# shellcheck source=tests/net/real-ray.sh
. "$(dirname "$0")/real-ray.sh"

env -i PATH="$PATH" HOME="$dir/home" RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$dir/token" \
        RAY_USAGE_STATS_ENABLED=0 RAY_CLOUD_INSTANCE_ID=me RAY_NODE_TYPE_NAME=group1 \
        "${ray[@]}" start "${head_args[@]}" --num-cpus=2 --include-dashboard=false \
        >"$dir/head.log" 2>&1 &
head=$!

gcs() { "$call" --token $token $a:6379 "$@"; }
raylet() { "$call" --token $token $a:6380 "$@"; }
bare() { "$call" $a:6379 "$@"; }
python=$("$(dirname "${ray[-1]}")/python" -c 'import platform; print(platform.python_version())')

await_head gcs
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
