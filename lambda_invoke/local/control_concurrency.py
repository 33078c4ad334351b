"""Reserved concurrency and the account's limits, as Lambda's API shows and changes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambda_invoke.local.faults import ServiceFault, invalid_parameter, no_function

if TYPE_CHECKING:
    from lambda_invoke.local.control_call import Call
    from lambda_invoke.local.registry import Registry

MOST_KEPT_UNRESERVED = 100
"""AWS, "Configuring reserved concurrency", 2026-11: 100 of an account's 1,000 cannot be reserved."""
_KEPT_PART = 10

_TOTAL_CODE_SIZE = 80_530_636_800
_UNZIPPED_CODE_SIZE = 262_144_000
_ZIPPED_CODE_SIZE = 52_428_800
"""AWS quotas, 2026-11: 75 GB, 250 MB and 50 MB."""


class Concurrency:
    """The operations; ``limit`` is the account's concurrency.

    Of a smaller limit than Lambda's 1,000 the part that cannot be reserved is the same: a tenth.
    """

    def __init__(self, registry: Registry, limit: int) -> None:
        self._registry = registry
        self._limit = limit
        self._kept = min(MOST_KEPT_UNRESERVED, limit // _KEPT_PART)

    def put(self, call: Call) -> dict[str, Any]:
        """PutFunctionConcurrency."""
        call.only("ReservedConcurrentExecutions")
        name = self._function(call)
        asked = call.required("ReservedConcurrentExecutions", call.integer("ReservedConcurrentExecutions", 0))
        before = self._registry.function(name).reserved_concurrency or 0
        unreserved = self._limit - self._registry.reserved - asked + before
        if asked > before and unreserved < self._kept:
            raise invalid_parameter(
                "Specified ReservedConcurrentExecutions for function decreases account's "
                f"UnreservedConcurrentExecution below its minimum value of [{self._kept}]."
            )
        self._registry.reserve(name, asked)
        return {"ReservedConcurrentExecutions": asked}

    def get(self, call: Call) -> dict[str, Any]:
        """GetFunctionConcurrency: nothing when nothing is reserved."""
        reserved = self._registry.function(self._function(call)).reserved_concurrency
        return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}

    def delete(self, call: Call) -> None:
        """DeleteFunctionConcurrency."""
        self._registry.reserve(self._function(call), None)

    def provisioned(self, call: Call) -> dict[str, Any]:
        """ListProvisionedConcurrencyConfigs, and GetProvisionedConcurrencyConfig, whose path is the same.

        Raises:
            ServiceFault: that of one version or alias was asked for.
        """
        if call.query.get("List") == "ALL":
            self._function(call)
            return {"ProvisionedConcurrencyConfigs": []}
        self._registry.find(call.parts["name"], call.query.get("Qualifier"))
        raise ServiceFault(
            404,
            "ProvisionedConcurrencyConfigNotFoundException",
            "No Provisioned Concurrency Config found for this function",
        )

    def account_settings(self, _call: Call) -> dict[str, Any]:
        """GetAccountSettings."""
        return {
            "AccountLimit": {
                "TotalCodeSize": _TOTAL_CODE_SIZE,
                "CodeSizeUnzipped": _UNZIPPED_CODE_SIZE,
                "CodeSizeZipped": _ZIPPED_CODE_SIZE,
                "ConcurrentExecutions": self._limit,
                "UnreservedConcurrentExecutions": self._limit - self._registry.reserved,
            },
            "AccountUsage": {"TotalCodeSize": 0, "FunctionCount": len(list(self._registry))},
        }

    def _function(self, call: Call) -> str:
        name, qualifier = self._registry.names.split(call.parts["name"])
        if qualifier is not None:
            raise invalid_parameter(
                "This operation is permitted on Lambda functions only. Aliases and versions do not support "
                "this operation. Please specify either a function name or an unqualified function ARN."
            )
        if name not in self._registry:
            raise no_function(self._registry.arn(name))
        return name
