from typing import Any

class Shape:
    name: str
    type_name: str
    documentation: str
    serialization: dict[str, Any]
    metadata: dict[str, Any]
    required_members: list[str]
    def __init__(
        self, shape_name: str, shape_model: dict[str, Any], shape_resolver: ShapeResolver | None = None
    ) -> None: ...

class StructureShape(Shape):
    members: dict[str, Shape]
    error_code: str | None

class ListShape(Shape):
    member: Shape

class MapShape(Shape):
    key: Shape
    value: Shape

class StringShape(Shape):
    enum: list[str]

class ShapeResolver:
    def __init__(self, shape_map: dict[str, Any]) -> None: ...
    def get_shape_by_name(self, shape_name: str, member_traits: dict[str, Any] | None = None) -> Shape: ...

class OperationModel:
    name: str
    http: dict[str, Any]
    metadata: dict[str, Any]
    @property
    def wire_name(self) -> str: ...
    @property
    def service_model(self) -> ServiceModel: ...
    deprecated: bool
    documentation: str
    input_shape: StructureShape | None
    output_shape: StructureShape | None
    error_shapes: list[StructureShape]
    auth_type: str | None
    has_streaming_input: bool
    has_streaming_output: bool
    has_event_stream_output: bool
    def __init__(
        self, operation_model: dict[str, Any], service_model: ServiceModel, name: str | None = None
    ) -> None: ...

class ServiceId(str):
    def hyphenize(self) -> str: ...

class ServiceModel:
    metadata: dict[str, Any]
    shape_names: list[str]
    error_shapes: list[StructureShape]
    operation_names: list[str]
    service_name: str
    service_id: ServiceId
    signing_name: str
    api_version: str
    endpoint_prefix: str
    def __init__(self, service_description: dict[str, Any], service_name: str | None = None) -> None: ...
    # A Shape of one class or another: the caller knows which
    def shape_for(self, shape_name: str, member_traits: dict[str, Any] | None = None) -> Any: ...
    def shape_for_error_code(self, error_code: str) -> StructureShape | None: ...
    def operation_model(self, operation_name: str) -> OperationModel: ...
