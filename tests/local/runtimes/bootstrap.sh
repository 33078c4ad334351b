#!/bin/sh
# A function in shell, as in the tutorial of AWS: the Runtime API by curl, with no token and no library.
set -eu
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
headers=$(mktemp)
trap 'rm -f "$headers"' EXIT
echo "started in $PWD"
calls=0
while true; do
    event=$(curl -sS -D "$headers" "$api/invocation/next")
    id=$(sed -n 's/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: *\([^[:cntrl:]]*\).*/\1/p' "$headers")
    calls=$((calls + 1))
    echo "call $calls"
    case "$event" in
    *fail*) curl -sS -o /dev/null "$api/invocation/$id/error" \
        -d '{"errorMessage": "no", "errorType": "ShellError", "stackTrace": []}' ;;
    *exit*) exit 3 ;;
    *) curl -sS -o /dev/null "$api/invocation/$id/response" \
        -d "{\"event\": $event, \"calls\": $calls, \"handler\": \"$_HANDLER\", \"root\": \"$LAMBDA_TASK_ROOT\", \"cwd\": \"$PWD\", \"pid\": $$}" ;;
    esac
done
