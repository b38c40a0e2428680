#!/bin/sh
# Makes a database cluster on the first start (POSTGRES_PASSWORD, POSTGRES_USER, POSTGRES_DB, PGDATA), then runs the server.
# Everything it writes is below PGDATA's parent, so the root file system may be read-only. PGDATA must not itself be a
# mount point: PostgreSQL wants to own it.
set -eu
umask 077
PATH="$(echo /usr/lib/postgresql/*/bin):$PATH"
user="${POSTGRES_USER:-postgres}"
made="$PGDATA/.made"

# Without the mark the last attempt was cut off: nothing in it was ever in use.
if [ ! -e "$made" ]; then
  : "${POSTGRES_PASSWORD:?set POSTGRES_PASSWORD for the first start}"
  mkdir -p "${PGDATA%/*}"
  rm -rf "$PGDATA" "$PGDATA.password"
  printf '%s\n' "$POSTGRES_PASSWORD" >"$PGDATA.password"
  initdb --pgdata="$PGDATA" --username="$user" --pwfile="$PGDATA.password" \
    --auth=scram-sha-256 --encoding=UTF8 --locale=C >/dev/null
  rm -f "$PGDATA.password"
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  if [ "${POSTGRES_DB:-postgres}" != postgres ]; then
    echo "CREATE DATABASE \"$POSTGRES_DB\" TEMPLATE template0" | postgres --single -D "$PGDATA" postgres >/dev/null
  fi
  sync "$PGDATA"
  touch "$made"
fi
unset POSTGRES_PASSWORD
# A volume with fsGroup comes back with group rights at every mount, which PostgreSQL refuses.
chmod 0700 "$PGDATA"
exec postgres -D "$PGDATA" -c 'listen_addresses=*' -c "unix_socket_directories=$PGDATA" -c jit=off "$@"
