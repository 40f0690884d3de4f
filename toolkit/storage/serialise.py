"""Take dataclasses apart into plain values and arrays, and put them together again exactly.

`pack` walks a value by what it is; `unpack` follows the type hints of the class that is wanted, so
a file can only ever become the nouns that the code asks for. Floats keep every bit. No pickle.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import ShapeError
from toolkit.messages import phrase

INLINE_MAX = 32
"""An array of at most so many numbers is written among the plain values: a scan has thousands."""

_DTYPES = frozenset({"uint8", "int64", "float32", "float64", "bool"})

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Packed:
    """A value taken apart: `plain` is ready for JSON and names the `arrays` where they stood."""

    plain: Any
    arrays: dict[str, NDArray[Any]]


def pack(value: object, *, leave_out: Collection[str] = ()) -> Packed:
    """Take a value apart.

    Parameters
    ----------
    value
        Dataclasses, tuples, lists, dicts with string keys, arrays, paths and plain values, nested.
    leave_out
        Names of dataclass fields that must not be stored; they come back as their defaults. What
        a dataclass makes of its other fields (``init=False``) is not stored but made again.

    Raises
    ------
    ShapeError
        If there is something in it that cannot be stored.
    """
    arrays: dict[str, NDArray[Any]] = {}

    def walk(item: Any, where: str) -> Any:
        if isinstance(item, np.ndarray):
            return array(item, where)
        if isinstance(item, np.generic):
            return item.item()
        if item is None or isinstance(item, bool | int | float | str):
            return item
        if isinstance(item, Path):
            return str(item)
        if dataclasses.is_dataclass(item):
            kept = [f for f in dataclasses.fields(item) if f.init and f.name not in leave_out]
            return {_key(f): walk(getattr(item, f.name), f"{where}.{f.name}") for f in kept}
        if isinstance(item, Mapping):
            return {str(key): walk(part, f"{where}.{key}") for key, part in item.items()}
        if isinstance(item, tuple | list):
            return [walk(part, f"{where}.{i}") for i, part in enumerate(item)]
        raise ShapeError("this cannot be stored", f"{where}: {type(item).__name__}")

    def array(item: NDArray[Any], where: str) -> dict[str, Any]:
        if item.dtype.name not in _DTYPES:
            raise ShapeError("an array of this kind cannot be stored", f"{where}: {item.dtype}")
        if item.size <= INLINE_MAX:
            numbers = item.ravel().tolist()
            return {"dtype": item.dtype.name, "shape": list(item.shape), "numbers": numbers}
        name = f"a{len(arrays)}"
        arrays[name] = item
        return {"array": name}

    return Packed(walk(value, "value"), arrays)


def unpack(wanted: type[T], packed: Packed) -> T:
    """Put a value together again.

    Parameters
    ----------
    wanted
        The class that was packed, or a type such as ``tuple[int, ...]``.
    packed
        From `pack`, perhaps by way of a file.

    Raises
    ------
    ShapeError
        If what is stored is not what is wanted.
    """
    try:
        return typing.cast("T", _build(wanted, packed.plain, packed.arrays))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, ShapeError):
            raise
        raise ShapeError(
            "what is stored does not fit", f"{type(error).__name__}: {error}"
        ) from error


def _key(of: dataclasses.Field[Any]) -> str:
    """Return the word that a field is stored under: its name, or the one it had in older files."""
    return str(of.metadata.get("key", of.name))


def _build(hint: Any, plain: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return plain
    if origin in {typing.Union, types.UnionType}:
        if plain is None and type(None) in inner:
            return None
        (hint,) = (part for part in inner if part is not type(None))
        return _build(hint, plain, arrays)
    if origin is np.ndarray or hint is np.ndarray:
        return _array(plain, arrays)
    if origin is tuple:
        if len(inner) == 2 and inner[1] is Ellipsis:
            return tuple(_build(inner[0], part, arrays) for part in _expect(plain, list))
        pairs = zip(inner, _expect(plain, list), strict=True)
        return tuple(_build(part, item, arrays) for part, item in pairs)
    if origin is list:
        return [_build(inner[0], part, arrays) for part in _expect(plain, list)]
    if origin is dict:
        return {key: _build(inner[1], part, arrays) for key, part in _expect(plain, dict).items()}
    if hasattr(hint, "from_plain"):  # it reads what earlier versions stored, too
        return hint.from_plain(plain)
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        names = {_key(f): f.name for f in dataclasses.fields(hint) if f.init}
        values = {
            names[key]: _build(hints[names[key]], part, arrays)
            for key, part in _expect(plain, dict).items()
        }
        return hint(**values)  # type: ignore[operator]  # it is a class, not an instance
    if hint is Path:
        return Path(_expect(plain, str))
    return _expect(plain, hint)


def _array(plain: Any, arrays: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    if "array" in plain:
        return arrays[plain["array"]]
    if plain["dtype"] not in _DTYPES:
        raise ShapeError("an array of this kind is not read", repr(plain["dtype"])[:40])
    return np.array(plain["numbers"], plain["dtype"]).reshape(plain["shape"])


def _expect(plain: Any, kind: type) -> Any:
    """Return a plain value of the wanted type; a whole number passes for a float."""
    if isinstance(plain, kind) or (kind is float and type(plain) is int):
        return plain
    raise ShapeError(
        "what is stored does not fit",
        phrase("{kind}, not {wanted}", kind=type(plain).__name__, wanted=kind.__name__),
    )
