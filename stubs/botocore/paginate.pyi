from collections.abc import Callable, Iterator
from typing import Any

from botocore.model import OperationModel

class PageIterator:
    def __init__(
        self,
        method: Callable[..., Any],
        input_token: Any,
        output_token: Any,
        more_results: Any,
        result_keys: Any,
        non_aggregate_keys: Any,
        limit_key: Any,
        max_items: Any,
        starting_token: Any,
        page_size: Any,
        op_kwargs: dict[str, Any],
    ) -> None: ...
    def __iter__(self) -> Iterator[dict[str, Any]]: ...
    def search(self, expression: str) -> Iterator[Any]: ...
    def build_full_result(self) -> dict[str, Any]: ...

class Paginator:
    def __init__(
        self, method: Callable[..., Any], pagination_config: dict[str, Any], model: OperationModel
    ) -> None: ...
    def paginate(self, **kwargs: Any) -> PageIterator: ...
