#!/bin/sh
# A walk through the Mind API with curl: open a conference, invite two people, look, rename, write, close.
#
#   MEDIABRIDGE_APPLICATION_ID=… MEDIABRIDGE_APPLICATION_TOKEN=… sh samples/walk.sh [http://127.0.0.1:8080]
set -eu

base=${1:-http://127.0.0.1:8080}
app=${MEDIABRIDGE_APPLICATION_ID:?set it to the id of your application}
: "${MEDIABRIDGE_APPLICATION_TOKEN:?set it to the token of your application}"

# call METHOD PATH [JSON]: the token goes in by standard input, so that it is in no process list.
call() {
    method=$1 path=$2 body=${3-}
    printf 'header = "Authorization: Bearer %s"\n' "$MEDIABRIDGE_APPLICATION_TOKEN" |
        curl --silent --show-error --fail-with-body --config - --request "$method" "$base/$app$path" \
            ${body:+--header "Content-Type: application/json" --data "$body"}
}
# field NAME: the first string of that name in the JSON on standard input.
field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | head -n 1; }

echo "1. open a conference"
conference=$(call POST "" '{"name": "A walk"}' | field id)
echo "   $conference"

echo "2. invite a moderator and a speaker (each answer holds a token, this once)"
moderator=$(call POST "/$conference/participants" '{"name": "Ada", "role": "moderator"}')
call POST "/$conference/participants" '{"name": "Bob"}' >/dev/null
echo "   join as Ada: $base/join#/$app/$conference/$(printf %s "$moderator" | field token)"

echo "3. look at it"
call GET "/$conference?detailed=true"; echo

echo "4. rename it"
call PATCH "/$conference" '{"name": "A longer walk"}'; echo

echo "5. write to everybody"
call POST "/$conference/messages" "{\"sendTo\": \"$conference\", \"text\": \"Welcome\"}"; echo

echo "6. close it"
call DELETE "/$conference"; echo
echo "done"
