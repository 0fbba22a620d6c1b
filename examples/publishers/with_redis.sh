#!/bin/sh
# Publishes two events over Redis Streams. Needs redis-cli or valkey-cli from version 7 on (Debian: redis-tools).
set -eu

url=${REDIS_URL:-redis://127.0.0.1:6379}
cli=$(command -v redis-cli || command -v valkey-cli)

# With -e it fails where Redis did not answer with the id of an entry. Then publish the event again.
publish() {
    "$cli" -e -u "$url" XADD badge-events '*' event "$1" < /dev/null > /dev/null
}

id() {
    od -An -N16 -tx1 /dev/urandom | tr -d ' \n'
}

now=$(date -u +%Y-%m-%dT%H:%M:%SZ) # when it happened

# Values that people chose may hold quotes: let a tool such as jq make the document then.
publish "{\"specversion\": \"1.0\", \"id\": \"$(id)\", \"source\": \"https://lms.example.org\",
    \"type\": \"connection.established.v1\", \"time\": \"$now\", \"data\": {\"user_ids\": [\"242\", \"243\"]}}"
publish "{\"specversion\": \"1.0\", \"id\": \"$(id)\", \"source\": \"https://lms.example.org\",
    \"type\": \"post.created.v1\", \"time\": \"$now\", \"data\": {\"user_id\": \"242\", \"post_id\": \"9001\"}}"

echo "2 events published"
