#!/bin/sh
# Streams a call to a WebSocket service for a while: starts the stream, lists it, ends it.
#
#   MEDIABRIDGE_PLIVO_AUTH_ID=… MEDIABRIDGE_PLIVO_AUTH_TOKEN=… \
#       sh samples/fork_call.sh CALL ws://127.0.0.1:8091 [TRACK [SECONDS [http://127.0.0.1:8080]]]
#
# CALL: a participant's id, the callId of a phone's own stream, or a conference's id.
# TRACK: inbound, outbound or both; of a conference inbound or participants (one socket for each of them).
# Services on this machine need a server with MEDIABRIDGE_EGRESS_ALLOW_PRIVATE=true.
set -eu

call=${1:?which call}
service=${2:?which service}
track=${3:-inbound}
seconds=${4:-10}
base=${5:-http://127.0.0.1:8080}
id=${MEDIABRIDGE_PLIVO_AUTH_ID:?set it to the auth_id of your account}
: "${MEDIABRIDGE_PLIVO_AUTH_TOKEN:?set it to the auth_token of your account}"

# ask METHOD PATH [JSON]: the token goes in by standard input, so that it is in no process list.
ask() {
    method=$1 path=$2 body=${3-}
    printf 'user = "%s:%s"\n' "$id" "$MEDIABRIDGE_PLIVO_AUTH_TOKEN" |
        curl --silent --show-error --fail-with-body --config - --request "$method" \
            ${body:+--header "Content-Type: application/json" --data "$body"} \
            "$base/v1/Account/$id/Call/$call/Stream/$path"
}
# field NAME: the first string of that name in the JSON on standard input.
field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | head -n 1; }

echo "1. start"
stream=$(ask POST "" "{\"service_url\": \"$service\", \"audio_track\": \"$track\",
    \"content_type\": \"audio/x-l16;rate=16000\", \"extra_headers\": \"from=fork_call\"}" | field stream_id)
echo "   $stream"

echo "2. list"
ask GET ""; echo

echo "3. wait $seconds s"
sleep "$seconds"

echo "4. end"
ask DELETE "$stream/"

echo "5. look at it once more"
ask GET "$stream/"; echo
echo "done"
