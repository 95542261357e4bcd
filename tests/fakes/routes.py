"""Every route of an application, for tests that walk all of them."""

from collections.abc import Iterable, Iterator

from starlette.routing import Mount, Route


def table(some: Iterable[object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Method and path of every route of an application, whatever routers it was put together from."""
    for route in some:
        if isinstance(route, Mount):
            yield "GET", prefix + route.path
        elif isinstance(route, Route):
            yield from ((method, prefix + route.path) for method in sorted(route.methods or ()))
        else:  # FastAPI's own kind for routers that were included
            inner = getattr(route, "original_router", None)
            assert inner is not None, f"a kind of route that is not known here: {route!r}"
            yield from table(inner.routes, prefix + route.include_context.prefix)  # type: ignore[attr-defined]
