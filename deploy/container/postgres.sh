#!/usr/bin/env bash
# Starts PostgreSQL in the compose file. Its first start makes the user and the database that Veche will ask for:
# those of VECHE_DATABASE_URL or DATABASE_URL if one is set and means this container, otherwise those of POSTGRES_*.
set -euo pipefail

decoded() {
    local escaped=${1//\\/\\\\}
    printf '%b' "${escaped//%/\\x}"
}

url=${VECHE_DATABASE_URL:-${DATABASE_URL:-}}
if [[ $url =~ ^postgres(ql)?(\+[a-z0-9]+)?://([^:@/]*)(:([^@/]*))?@(db|postgres)(:5432)?/([^?]*) ]]; then
    POSTGRES_USER=$(decoded "${BASH_REMATCH[3]}")
    POSTGRES_PASSWORD=$(decoded "${BASH_REMATCH[5]}")
    POSTGRES_DB=$(decoded "${BASH_REMATCH[8]}")
    export POSTGRES_USER POSTGRES_PASSWORD POSTGRES_DB
fi
exec docker-entrypoint.sh postgres "$@"
