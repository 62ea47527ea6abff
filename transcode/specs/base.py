"""What every spec has in common: frozen, strict about fields, read from JSON. Pure."""

from __future__ import annotations

import json
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from kernel.errors import EncodeError

Spec = TypeVar("Spec", bound=BaseModel)


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def parse_spec(model: type[Spec], data: object) -> Spec:
    """Validate a spec or an input.

    Raises:
        EncodeError: Permanent: a newer or older planner wrote it.
    """
    try:
        return model.model_validate_json(json.dumps(data))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise EncodeError(f"{model.__name__}.{place}: {first['msg']}", permanent=True) from error
