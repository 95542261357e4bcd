from collections.abc import Callable
from datetime import datetime, tzinfo

def parse(
    timestr: str,
    *,
    dayfirst: bool | None = ...,
    default: datetime | None = ...,
    tzinfos: Callable[[str | None, int | None], tzinfo | None] | None = ...,
) -> datetime: ...
