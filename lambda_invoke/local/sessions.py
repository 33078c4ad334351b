"""A boto3 session that holds the endpoint's key and takes nothing from this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config

if TYPE_CHECKING:
    from lambda_invoke.local.signature import LocalCredentials

# botocore's (configuration name, environment variable, default, conversion): the variable is None,
# so that an AWS_PROFILE which does not exist, or one with its own endpoints, changes nothing.
_ISOLATED = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


def boto3_session(credentials: LocalCredentials, region_name: str) -> Any:
    """Make the session. Its clients go to loopback past any proxy that the environment names."""
    session = botocore.session.Session(session_vars=_ISOLATED)
    session.set_default_client_config(Config(proxies={}))
    return boto3.Session(
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        region_name=region_name,
        botocore_session=session,
    )
