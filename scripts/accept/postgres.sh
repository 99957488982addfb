#!/usr/bin/env bash
# The host's storage, and every package with tables on it, on a PostgreSQL server
# of its own: a fresh cluster on a free port of 127.0.0.1 that is removed again.
# Each package must have run its cases on PostgreSQL, or the part fails.
. "$(dirname "$0")/lib.sh"

PACKAGES=(./host/internal/store/... ./host/internal/ledger ./host/internal/audit
	./host/internal/token ./host/internal/terminals ./host/internal/authorize
	./host/internal/issuer ./host/internal/score)

# as_postgres runs a command as a user who may own a cluster: root may not.
as_postgres() {
	if [ "$(id -u)" -eq 0 ]; then
		runuser -u postgres -- "$@"
	else
		"$@"
	fi
}

# free_port is one that nothing listens on at this moment.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

server() {
	local dir=$WORK/pg bin
	bin=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin | sort -V | tail -1)
	[ -x "$bin/initdb" ] || die "no initdb under /usr/lib/postgresql"
	mkdir "$dir"
	[ "$(id -u)" -ne 0 ] || { chmod 711 "$WORK" && chown postgres "$dir"; }
	cd "$dir" # a folder that the user postgres may be in
	as_postgres "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >"$WORK/initdb.log" 2>&1 ||
		{ tail -5 "$WORK/initdb.log" >&2; die "initdb"; }
	PORT=$(free_port)
	if [ "$(id -u)" -eq 0 ]; then
		# runuser would stand between us and the server's pid.
		start "$WORK/postgres.log" setpriv --reuid postgres --regid postgres --init-groups \
			"$bin/postgres" -D "$dir/data" -h 127.0.0.1 -p "$PORT" -k "$dir" -c max_connections=200
	else
		start "$WORK/postgres.log" "$bin/postgres" -D "$dir/data" -h 127.0.0.1 -p "$PORT" -k "$dir" -c max_connections=200
	fi
	await 30 "$bin/pg_isready" -q -h 127.0.0.1 -p "$PORT" || die "the server did not start: $(tail -3 "$WORK/postgres.log")"
	"$bin/createdb" -h 127.0.0.1 -p "$PORT" -U postgres tallystick
	say "$("$bin/postgres" --version) on 127.0.0.1:$PORT"
	cd "$OLDPWD"
}

need postgresql postgresql-client python3 util-linux
server
export TALLYSTICK_TEST_POSTGRES="postgres://postgres@127.0.0.1:$PORT/tallystick?sslmode=disable" CGO_ENABLED=0
go test -count=1 -timeout 5m -json "${PACKAGES[@]}" >"$WORK/tests.jsonl" 2>"$WORK/tests.err" || failed=1
scripts/accept/postgres.py "$WORK/tests.jsonl" || die "see above"
[ -z "${failed:-}" ] || { cat "$WORK/tests.err" >&2; die "go test"; }
say "ok"
