"""What every section of `gateway.ini` is made of."""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from bmgate.config.values import parse_list

T = TypeVar("T")
Listed = Annotated[tuple[T, ...], BeforeValidator(parse_list)]
Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]


def setting(default: str, text: str, later: bool = False) -> Any:
    """A setting with its default as the file would say it; `later`: read and checked, used from a later version."""
    return Field(default=default, validate_default=True, description=text, json_schema_extra={"later": later})


class Section(BaseModel):
    """One section of the file; values cannot be changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")
