# shellcheck shell=sh
# Shared by the tests. A line for each thing that holds; the first that does not ends the test.

says() { echo "ok: $*"; }
die() {
	echo "FAILED: $*" >&2
	systemctl --no-pager --full status ray-head ray-worker 'ray-engine@*' 2>/dev/null || true
	journalctl --no-pager -q -n 40 2>/dev/null || true
	exit 1
}
# 77: skipped, for "skippable".
booted() { [ -d /run/systemd/system ] || { echo "skipped: systemd is not the service manager here"; exit 77; }; }
# within SECONDS COMMAND...: until it succeeds
within() {
	_left=$(($1 * 5))
	shift
	until "$@" >/dev/null 2>&1; do
		_left=$((_left - 1))
		[ "$_left" -gt 0 ] || return 1
		sleep 0.2
	done
}
state() { systemctl show -p ActiveState --value "$1"; }
# as USER COMMAND...
as() {
	_user=$1
	shift
	setpriv --reuid="$_user" --regid="$(id -g "$_user")" --init-groups "$@"
}
clean() {
	systemctl disable --now ray-head ray-worker >/dev/null 2>&1 || true
	systemctl reset-failed >/dev/null 2>&1 || true
	rm -f /etc/raycluster.conf.d/99-test.conf
}
