"""The few settings that the environment may give instead of the file: what differs between machines of one image.

    RINGMAIL_DATA_DIR   RINGMAIL_PUBLIC_URL   RINGMAIL_LANGUAGE   RINGMAIL_TIMEZONE
    RINGMAIL_DATABASE__DSN   RINGMAIL_HTTP__LISTEN

They win over the file and are validated with it: a mistake in one of them names the variable. Names follow
pydantic-settings (a prefix, two underscores between table and key). Other RINGMAIL_… variables are not ours to judge:
container platforms add some of their own.
"""

from collections.abc import Mapping

from pydantic import BaseModel
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

PREFIX = "RINGMAIL_"
VARIABLES: Mapping[str, tuple[str, ...]] = {
    "RINGMAIL_DATA_DIR": ("data_dir",),
    "RINGMAIL_PUBLIC_URL": ("public_url",),
    "RINGMAIL_LANGUAGE": ("language",),
    "RINGMAIL_TIMEZONE": ("timezone",),
    "RINGMAIL_DATABASE__DSN": ("database", "dsn"),
    "RINGMAIL_HTTP__LISTEN": ("http", "listen"),
}


class _DatabasePart(BaseModel):
    dsn: str = ""


class _HttpPart(BaseModel):
    listen: str = ""


class _Machine(BaseSettings):
    """The shape of what the environment may give."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", env_ignore_empty=True)

    data_dir: str = ""
    public_url: str = ""
    language: str = ""
    timezone: str = ""
    database: _DatabasePart = _DatabasePart()
    http: _HttpPart = _HttpPart()


class _Given(EnvSettingsSource):
    """pydantic-settings' reading of an environment, of the one handed in rather than the one of this process."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(_Machine)
        self.env_vars = {name.lower(): environ[name] for name in VARIABLES if environ.get(name)}


def read_overrides(environ: Mapping[str, str]) -> dict[str, object]:
    """What the environment gives, shaped as the tables of the file."""
    return dict(_Given(environ)())


def merged(raw: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    """The file with the overrides in place. A table that is no table in the file stays wrong, as it should."""
    result = dict(raw)
    for key, value in over.items():
        below = result.get(key, {})
        if isinstance(value, Mapping):
            result[key] = {**below, **value} if isinstance(below, Mapping) else below
        else:
            result[key] = value
    return result


def variable_of(where: tuple[str | int, ...], environ: Mapping[str, str]) -> str | None:
    """The variable that gave the value at this path, or None where the file did."""
    return next((name for name, path in VARIABLES.items() if path == where and environ.get(name)), None)
