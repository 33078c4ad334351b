"""A process that accepts Events and tells of each that was answered 202; the test kills it."""

import json
import sys

from lambda_invoke.local import Function, LocalLambda


def main() -> None:
    options = json.loads(sys.argv[1])
    function = Function(options["handler"], timeout=60.0)
    with LocalLambda(
        {"f": function}, state_dir=options["state_dir"], concurrency_limit=2, time_scale=0.01
    ) as local:
        client = local.boto3_client()
        payload = json.dumps(options["payload"]).encode()
        for _ in range(options["events"]):
            reply = client.invoke(FunctionName="f", InvocationType="Event", Payload=payload)
            print(reply["ResponseMetadata"]["RequestId"], flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
