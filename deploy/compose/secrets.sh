#!/bin/sh
# Makes the passwords that docker-compose.yml hands to its services as files, each
# of its own. Those that are there already stay as they are.
#
#   sh deploy/compose/secrets.sh [DIRECTORY]
set -eu
dir=${1:-$(dirname "$0")/secrets}
mkdir -p "$dir"
chmod 700 "$dir"    # the files are readable by whoever gets this far: containers see them under other users

password() {
  [ -s "$dir/$1" ] || head -c 18 /dev/urandom | base64 | tr '+/' '-_' >"$dir/$1"
}
address() {
  [ -s "$dir/$1" ] || printf '%s\n' "$2" >"$dir/$1"
}

for name in postgres_password mongodb_password mariadb_password redis_password grafana_password \
  admin_password reader_password ledger_password audit_key; do
  password "$name"
done
reader=$(cat "$dir/reader_password")
address catalog_url "postgres://plumbline_reader:$reader@postgres:5432/shop?sslmode=disable"
address copies_url "mongodb://plumbline_reader:$reader@mongodb:27017/shop?authSource=admin"
address billing_url "mysql://plumbline_reader:$reader@mariadb:3306/billing"
address prices_url "redis://plumbline_reader:$reader@redis:6379/0"
address ledger_url "postgres://plumbline_ledger:$(cat "$dir/ledger_password")@postgres:5432/plumbline?sslmode=disable"
chmod 644 "$dir"/*

echo "sign in at http://127.0.0.1:8080 as admin with $(cat "$dir/admin_password")"
