"""What ``Ref`` and ``Fn::GetAtt`` come to on this machine: parameters, names, and ARNs made of names.

A resource's name is the one that its template gives it, else its logical id (CloudFormation would add
the stack's name and random letters).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambda_invoke.local.definition import DefinitionError, suggestion
from lambda_invoke.local.intrinsics import NO_VALUE, MalformedTemplate, Resolver, Unresolvable, as_text
from lambda_invoke.local.names import Names

if TYPE_CHECKING:
    from collections.abc import Mapping

FUNCTION_TYPES = ("AWS::Serverless::Function", "AWS::Lambda::Function")
LAYER_TYPES = ("AWS::Serverless::LayerVersion", "AWS::Lambda::LayerVersion")
VERSION_TYPE = "AWS::Lambda::Version"
ALIAS_TYPE = "AWS::Lambda::Alias"
EVENTS_TYPE = "AWS::Lambda::EventInvokeConfig"
STACK_NAME = "local"
FIRST_VERSION = "1"
"""The version that AutoPublishAlias publishes here."""

# For each type: the property that names it, its ARN, and which of its attributes Ref gives.
_KINDS = {
    "AWS::SQS::Queue": ("QueueName", "sqs:{region}:{account}:{name}", "QueueUrl"),
    "AWS::SNS::Topic": ("TopicName", "sns:{region}:{account}:{name}", "Arn"),
    "AWS::S3::Bucket": ("BucketName", "s3:::{name}", "Name"),
    "AWS::DynamoDB::Table": ("TableName", "dynamodb:{region}:{account}:table/{name}", "Name"),
    "AWS::Serverless::SimpleTable": ("TableName", "dynamodb:{region}:{account}:table/{name}", "Name"),
    "AWS::Events::EventBus": ("Name", "events:{region}:{account}:event-bus/{name}", "Name"),
    "AWS::Kinesis::Stream": ("Name", "kinesis:{region}:{account}:stream/{name}", "Name"),
    "AWS::Logs::LogGroup": ("LogGroupName", "logs:{region}:{account}:log-group:{name}:*", "Name"),
    "AWS::SSM::Parameter": ("Name", None, "Name"),
    "AWS::StepFunctions::StateMachine": (
        "StateMachineName",
        "states:{region}:{account}:stateMachine:{name}",
        "Arn",
    ),
    "AWS::Serverless::StateMachine": ("Name", "states:{region}:{account}:stateMachine:{name}", "Arn"),
    **dict.fromkeys(FUNCTION_TYPES, ("FunctionName", "lambda:{region}:{account}:function:{name}", "Name")),
    **dict.fromkeys(LAYER_TYPES, ("LayerName", "lambda:{region}:{account}:layer:{name}:1", "Arn")),
}
# What an attribute is called by each service.
_ATTRIBUTES = {
    "Arn": "Arn",
    "TopicArn": "Arn",
    "LayerVersionArn": "Arn",
    "QueueUrl": "QueueUrl",
    "QueueName": "Name",
    "TopicName": "Name",
    "Name": "Name",
}


class References:
    """Parameters, pseudo parameters and resources of one template.

    ``parameters`` override defaults, and pseudo parameters too (``AWS::StackName``).

    Raises:
        DefinitionError: an override that the template does not know, or does not allow.
    """

    def __init__(
        self,
        file: str,
        template: Mapping[str, Any],
        parameters: Mapping[str, str],
        region_name: str,
        account_id: str,
    ) -> None:
        self.names = Names(region_name, account_id)
        self._resources: dict[str, Any] = template["Resources"]
        self._region = region_name
        self._account = account_id
        self._declared = _section(file, template, "Parameters")
        self._pseudo: dict[str, Any] = {
            "AWS::Region": region_name,
            "AWS::AccountId": account_id,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": STACK_NAME,
            "AWS::StackId": f"arn:aws:cloudformation:{region_name}:{account_id}:stack/{STACK_NAME}/local",
            "AWS::NotificationARNs": [],
            "AWS::NoValue": NO_VALUE,
        }
        self._given = dict(parameters)
        self._looked_for: set[str] = set()
        _check_parameters(file, parameters, self._declared, self._pseudo)
        self.resolver = Resolver(
            self.ref,
            self.attribute,
            _section(file, template, "Mappings"),
            _section(file, template, "Conditions"),
        )

    def ref(self, name: str) -> Any:
        """What ``Ref`` gives."""
        if name in self._declared:
            return self._parameter(name)
        if name in self._pseudo:
            return self._given.get(name, self._pseudo[name])
        if name in self._resources and self._type(name) in (VERSION_TYPE, ALIAS_TYPE):
            return self._qualified(name)
        if name in self._resources:
            kind = _KINDS.get(self._type(name))
            if kind is None:
                raise Unresolvable(f"{name} ({self._type(name)}) is known only once it is deployed")
            return self.attribute(name, kind[2])
        published = self._published(name)
        if published is None:
            raise MalformedTemplate(
                f"there is no parameter or resource {name!r}; "
                f"{suggestion(name, [*self._declared, *self._resources])}"
            )
        return published

    def attribute(self, name: str, attribute: str) -> Any:
        """What ``Fn::GetAtt`` gives. ``Function.Alias`` and ``Function.Version`` are SAM's own."""
        if name not in self._resources:
            raise MalformedTemplate(f"there is no resource {name!r}; {suggestion(name, self._resources)}")
        if (self._type(name), attribute) in ((VERSION_TYPE, "FunctionArn"), (ALIAS_TYPE, "AliasArn")):
            return self._qualified(name)
        if (self._type(name), attribute) == (VERSION_TYPE, "Version"):
            return self._number(name)
        kind = _KINDS.get(self._type(name))
        meant = _ATTRIBUTES.get(attribute)
        if kind is not None and meant == "Name":
            return self.name(name)
        if kind is not None and meant == "QueueUrl" and kind[2] == "QueueUrl":
            return f"https://sqs.{self._region}.amazonaws.com/{self._account}/{self.name(name)}"
        if kind is not None and meant == "Arn" and kind[1] is not None:
            return self._arn(kind[1], self.name(name))
        published = self._published(f"{name}.{attribute}")
        if published is not None:
            return published
        raise Unresolvable(f"{name}.{attribute} ({self._type(name)}) is known only once it is deployed")

    def name(self, logical_id: str) -> str:
        """A resource's own name, else its logical id."""
        resource = self._resources[logical_id]
        key = _KINDS[self._type(logical_id)][0]
        properties = resource.get("Properties") or {}
        if not isinstance(properties, dict) or key not in properties:
            return logical_id
        name = self.resolver.resolve(properties[key])
        return logical_id if name is NO_VALUE else as_text(name)

    def function_of(self, logical_id: str) -> str:
        """The plain name of the function that a version, alias or event configuration is of."""
        parts = self._property(logical_id, "FunctionName").split(":")
        return parts[parts.index("function") + 1] if "function" in parts[:-1] else parts[0]

    def _property(self, logical_id: str, key: str) -> str:
        properties = self._resources[logical_id].get("Properties")
        if not isinstance(properties, dict) or key not in properties:
            raise MalformedTemplate(f"{logical_id} has no {key}")
        return as_text(self.resolver.resolve(properties[key]))

    def _qualified(self, logical_id: str) -> str:
        """The ARN of a version or alias."""
        is_version = self._type(logical_id) == VERSION_TYPE
        qualifier = self._number(logical_id) if is_version else self._property(logical_id, "Name")
        pattern = _KINDS[FUNCTION_TYPES[0]][1]
        assert pattern is not None
        return f"{self._arn(pattern, self.function_of(logical_id))}:{qualifier}"

    def _number(self, logical_id: str) -> str:
        """The number of a version: its place among those of the same function."""
        function = self.function_of(logical_id)
        versions = [name for name in self._resources if self._type(name) == VERSION_TYPE]
        earlier = versions[: versions.index(logical_id)]
        automatic = any(
            self._alias_of(name) is not None and self.name(name) == function for name in self._resources
        )
        return str(1 + automatic + sum(self.function_of(name) == function for name in earlier))

    def _arn(self, pattern: str, name: str) -> str:
        return "arn:aws:" + pattern.format(region=self._region, account=self._account, name=name)

    def _published(self, name: str) -> str | None:
        """SAM's ``Function.Alias`` and ``Function.Version``, and its alias resource ``FunctionAliaslive``."""
        if name in self._looked_for:
            return None  # an AutoPublishAlias refers to it, and so is not what it names
        self._looked_for.add(name)
        try:
            return self._automatic(name)
        finally:
            self._looked_for.remove(name)

    def _automatic(self, name: str) -> str | None:
        function, dot, attribute = name.partition(".")
        for logical_id in [function] if dot else self._resources:
            alias = self._alias_of(logical_id)
            if alias is None:
                continue
            arn = str(self.attribute(logical_id, "Arn"))
            if (dot and attribute == "Alias") or name == f"{logical_id}Alias{alias}":
                return f"{arn}:{alias}"
            if dot and attribute == "Version":
                return f"{arn}:{FIRST_VERSION}"
        return None

    def _alias_of(self, logical_id: str) -> str | None:
        resource = self._resources.get(logical_id)
        if not isinstance(resource, dict) or resource.get("Type") != FUNCTION_TYPES[0]:
            return None
        properties = resource.get("Properties")
        alias = properties.get("AutoPublishAlias") if isinstance(properties, dict) else None
        return None if alias is None else as_text(self.resolver.resolve(alias))

    def _type(self, name: str) -> str:
        resource = self._resources[name]
        return str(resource.get("Type", "no type")) if isinstance(resource, dict) else "no resource"

    def _parameter(self, name: str) -> Any:
        declared = self._declared[name]
        kind = str(declared.get("Type", "String"))
        if name in self._given:
            value: Any = self._given[name]
        elif "Default" not in declared:
            raise Unresolvable(f"the parameter {name} has no default and was not given")
        elif kind.startswith("AWS::SSM::Parameter::Value"):
            raise Unresolvable(f"the parameter {name} stands in the Systems Manager")
        else:
            value = declared["Default"]
        if kind == "CommaDelimitedList" or kind.startswith("List<"):
            return [each.strip() for each in as_text(value).split(",")]
        return value


def _check_parameters(
    file: str, given: Mapping[str, str], declared: Mapping[str, Any], pseudo: Mapping[str, Any]
) -> None:
    for name, parameter in declared.items():
        if not isinstance(parameter, dict):
            raise DefinitionError(f"{file}: Parameters: {name}: must be a table")
    for name, value in given.items():
        if name not in declared and name not in pseudo:
            raise DefinitionError(f"{file}: there is no parameter {name!r}; {suggestion(name, declared)}")
        allowed = declared.get(name, {}).get("AllowedValues")
        values = [as_text(each) for each in allowed] if isinstance(allowed, list) else [value]
        if value not in values:
            raise DefinitionError(
                f"{file}: parameter {name}: {value!r} is not allowed; {suggestion(value, values)}"
            )


def _section(file: str, template: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = template.get(name) or {}
    if not isinstance(section, dict):
        raise DefinitionError(f"{file}: {name}: must be a table")
    return section
