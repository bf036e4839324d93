#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The GCS client against real Ray that speaks TLS: which of Ray's ports do, which stay in clear
# (raycluster.conf(5) says it), and how a certificate that will not do is refused. As
# test-gcs-real.sh; RAY=/path/to/ray, else the engine's package out of the cache.
# Run by tests/net/run, in namespaces of its own: whatever it starts ends with it.
# shellcheck source=tests/net/real-ray.sh
. "$(dirname "$0")/real-ray.sh"

# our own authority and certificates, as a head makes them
cert() { # AUTHORITY NAME ROLE ADDRESS…
        local authority=$dir/$1 name=$2
        shift 2
        mkdir -p "$authority" "$dir/$name-state"
        "$build"/tests/fake/ray-cert "$authority" "$dir/$name-state" "$dir/$name" "$1" "$name" "${@:2}"
}
cert ca head head $a
cert ca worker worker 10.77.0.2
cert foreign-ca foreign worker 10.77.0.2

ip addr add 10.77.0.2/32 dev lo
in_env() { # WHO COMMAND…: with the certificate of WHO
        env -i PATH="$PATH" HOME="$dir/home" RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$dir/token" \
                RAY_USE_TLS=1 RAY_TLS_CA_CERT="$dir/$1/ca.pem" \
                RAY_TLS_SERVER_CERT="$dir/$1/cert.pem" RAY_TLS_SERVER_KEY="$dir/$1/key.pem" \
                RAY_USAGE_STATS_ENABLED=0 GRPC_ENABLE_FORK_SUPPORT=0 DASHBOARD_METRIC_PORT=6387 \
                "${@:2}"
}
in_env head "${ray[@]}" start "${head_args[@]}" --dashboard-host=$a --dashboard-port=6386 \
        --ray-client-server-port=6388 --num-cpus=1 >"$dir/head.log" 2>&1 &
head=$!

with() { # WHOSE-CA WHO ARGUMENT…
        "$call" --ca "$dir/$1/ca.pem" --cert "$dir/$2/cert.pem" --key "$dir/$2/key.pem" "${@:3}"
}
as() { # WHO ARGUMENT…
        with worker "$1" --token $token "${@:2}"
}
gcs() { as worker $a:6379 "$@"; }
bare() { "$call" --token $token $a:6379 "$@"; }

await_head gcs

ok "CheckAlive by TLS, with a key on P-256" says "^$version\$" gcs alive
ok "health of the raylet by TLS" says '^ok$' as worker $a:6380 health
ok "no token" says '^token: .*missing' with worker worker $a:6379 alive
ok "in clear" says '^unreachable: .*it may want TLS' bare alive
ok "a certificate of another authority" says '^tls: .*hung up when it saw our certificate' \
        as foreign $a:6379 alive
ok "another authority for ours" says '^tls: .*is not of the authority that we have for Ray' \
        with foreign worker $a:6379 alive
ip addr add 10.77.0.9/32 dev lo
ok "an address that is not in the certificate" says '^tls: .*does not name this address' \
        as worker 10.77.0.9:6379 alive

speaks_tls() { # PORT
        openssl s_client -connect $a:"$1" -alpn h2 -CAfile "$dir/head/ca.pem" \
                -cert "$dir/head/cert.pem" -key "$dir/head/key.pem" </dev/null 2>/dev/null | grep -qa '^New, TLSv1.3'
}
speaks_http() ( # PORT
        exec 3<>/dev/tcp/$a/"$1" || exit 1
        printf 'GET / HTTP/1.0\r\n\r\n' >&3
        timeout 5 head -c 8 <&3 | grep -q '^HTTP/1'
)
for port in 6379 6380 6381 6383 6388; do
        ok "port $port speaks TLS" await 30 speaks_tls $port
done
for port in 6382 6384 6385 6386 6387; do
        ok "port $port is in clear" await 30 speaks_http $port
done

# a second node with a certificate of its own, drivers, and Ray Client, which goes by loopback
in_env worker "${ray[@]}" start --address=$a:6379 --node-ip-address=10.77.0.2 \
        --node-manager-port=6480 --object-manager-port=6481 --runtime-env-agent-port=6482 \
        --dashboard-agent-grpc-port=6483 --metrics-export-port=6484 \
        --dashboard-agent-listen-port=6485 --num-cpus=1 --resources='{"there": 1}' \
        --object-store-memory=100000000 --temp-dir="$dir/w" --include-log-monitor=false \
        --disable-usage-stats --block >"$dir/worker.log" 2>&1 &
worker=$!
python() { # WHO: a program on stdin
        in_env "$1" timeout 90 "$(dirname "${ray[-1]}")/python" -
}
has_two() { gcs nodes 2>/dev/null | grep -c ' alive ' | grep -qx 2; }
ok "a second node" await 60 has_two
driver() {
        python head <<'END'
import ray
ray.init("10.77.0.1:6379", _node_ip_address="10.77.0.1", log_to_driver=False)
f = ray.remote(resources={"there": 1})(lambda b: (ray.util.get_node_ip_address(), len(b), bytes(3 << 20)))
where, n, back = ray.get(f.remote(bytes(2 << 20)), timeout=60)
print("ran on", where, n, len(back))
END
}
ok "a task and objects between the nodes" says '^ran on 10.77.0.2 2097152 3145728$' driver
client() {
        python head <<'END'
import ray
ray.init("ray://10.77.0.1:6388")
print("client", ray.get(ray.remote(lambda: 7).remote(), timeout=60))
END
}
ok "Ray Client" says '^client 7$' client
# bash starts what is in the background with SIGINT ignored
kill -TERM $worker $head
wait $worker $head
echo "1..$n"
