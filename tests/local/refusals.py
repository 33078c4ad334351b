"""How a refusal is read off boto3."""

from typing import Any

import pytest
from botocore.exceptions import ClientError


def refusal(call: Any, **parameters: Any) -> tuple[int, str, str]:
    """The refusal that a call meets: status, code and message."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    reply = caught.value.response
    return reply["ResponseMetadata"]["HTTPStatusCode"], reply["Error"]["Code"], reply["Error"]["Message"]
