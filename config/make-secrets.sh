#!/bin/sh
# Makes the secrets of docker-compose.yml, each a file in config/secrets/:
#
#   config/make-secrets.sh USERNAME
#
# USERNAME is the account at the provider (Badgr); its password is asked for, or read from stdin. What is there
# already stays as it is, so this can be run again. The token that it makes is shown once and kept nowhere.
set -eu
command -v openssl > /dev/null || { echo "openssl is needed for this" >&2; exit 2; }
cd "$(dirname "$0")/secrets"
# The folder keeps others of this machine out. The files can be read by all: the containers' processes have user
# ids of their own.
chmod 700 .
umask 022

is_missing() { [ ! -s "$1" ]; }
key() { openssl rand -hex "${1:-24}"; }

is_missing secret_key && key 32 > secret_key
is_missing postgres_password && key > postgres_password
is_missing grafana_password && key > grafana_password
is_missing flower_basic_auth && echo "flower:$(key)" > flower_basic_auth
is_missing database_url &&
    echo "postgresql+psycopg://badge_worker:$(cat postgres_password)@postgres:5432/badge_worker" > database_url

# For --profile rabbitmq.
if is_missing rabbitmq_user; then
    password=$(key)
    printf 'default_user = badge_worker\ndefault_pass = %s\n' "$password" > rabbitmq_user
    rm -f rabbitmq_events_url
    echo "amqp://badge_worker:$password@rabbitmq:5672/%2F?queue=badge-events" > rabbitmq_events_url
fi

if is_missing academy_password; then
    if [ -z "${1:-}" ]; then
        echo "the user name at the provider, please: config/make-secrets.sh USERNAME" >&2
        exit 2
    fi
    if [ -t 0 ]; then
        printf 'The password of %s at the provider: ' "$1" >&2
        trap 'stty echo; exit 130' INT TERM
        stty -echo
    fi
    IFS= read -r password || true
    if [ -t 0 ]; then
        stty echo
        echo >&2
    fi
    if [ -z "$password" ]; then
        echo "no password, so nothing was kept of the account at the provider; please run this again" >&2
        exit 2
    fi
    rm -f academy_username
    printf '%s\n' "$1" > academy_username
    printf '%s\n' "$password" > academy_password
fi

# One person's. Others are added behind a comma, see docs/http.md; their names stand in what they do to awards.
if is_missing api_tokens; then
    token=$(key 32)
    name=$(id -un | tr -c 'A-Za-z0-9._\n-' -)
    echo "$name:admin+read+publish:$(printf %s "$token" | sha256sum | cut -d ' ' -f 1)" > api_tokens
    echo "Your token for /admin, GraphQL and POST /events, which is kept nowhere else: $token"
fi
