"""Turns the composed configuration into typed plain values and checks them across fields.

The only module that knows OmegaConf.
"""

from __future__ import annotations

import dataclasses
import difflib
import pathlib
import types
import typing
from collections.abc import Sequence
from typing import Any, Literal

import omegaconf
import yaml

from lrcn import settings as settings_lib
from lrcn.errors import UsageError, UserError

UNREADABLE = (omegaconf.errors.OmegaConfBaseException, yaml.YAMLError)
"""What may be raised where a configuration is composed."""

# Groups that are told apart by a key of their own, not by a dataclass alone.
_DISCRIMINATORS = ("name", "source")
_GROUPS_WITHOUT_SETTINGS = {"experiment", "sweep", "debug"}


def typed(verb: str, composed: omegaconf.DictConfig, choices: dict[str, str] | None = None) -> Any:
    """Turns a composed configuration into the typed settings of a verb.

    Args:
        verb: A key of `settings.VERBS`.
        composed: The configuration as Hydra composed it.
        choices: The chosen member of each group, for messages.

    Raises:
        UserError: A value is missing, of another type, or does not fit another one.
        UsageError: A key is not known.
    """
    if verb == "serialize" and composed.get("merge") is True:  # the shards tell what they hold
        composed = composed.copy()
        omegaconf.OmegaConf.update(composed, "dataset", {"source": "auto"}, merge=False)
    for key in sorted(omegaconf.OmegaConf.missing_keys(composed)):
        raise UserError(
            "a value is needed",
            where=key,
            received="nothing",
            expected=f"{key}=...",
            remedy=f"Add it to the command line; `lrcn {verb} --help` tells what it is",
        )
    plain = omegaconf.OmegaConf.to_container(composed, resolve=True)
    plain = {key: value for key, value in plain.items() if key not in _GROUPS_WITHOUT_SETTINGS}
    return from_plain(verb, plain, choices)


def from_plain(verb: str, plain: dict, choices: dict[str, str] | None = None) -> Any:
    """Turns plain nested values, such as those of a `config.json`, into typed settings."""
    settings = _build(settings_lib.VERBS[verb], plain, key="", choices=choices or {})
    settings_lib.check(settings)
    return settings_lib.resolved(settings)


def to_plain(settings: Any) -> dict:
    """Turns typed settings into nested dicts and lists that JSON can hold."""
    plain = dataclasses.asdict(settings)
    return _listed(plain)


def with_absolute_paths(settings: settings_lib.TrainSettings) -> settings_lib.TrainSettings:
    """Returns the settings with every path absolute, so that a run is found from anywhere."""
    groups = ("workflow", "dataset", "backbone", "vocabulary")
    own = {group: _absolute(getattr(settings, group)) for group in groups}
    return _absolute(dataclasses.replace(settings, **own))


def _absolute(values: Any) -> Any:
    def absolute(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(absolute, value))
        if isinstance(value, dict):
            return {split: absolute(path) for split, path in value.items()}
        return value if value is None else str(pathlib.Path(value).expanduser().absolute())

    given = {name: getattr(values, name) for name in _paths(values)}
    return dataclasses.replace(values, **{name: absolute(value) for name, value in given.items()})


def _paths(values: Any) -> tuple[str, ...]:
    """Returns the keys of a group that hold paths, not the names that may stand in their place."""
    names = set(settings_lib.paths_of(type(values)))
    if isinstance(values, settings_lib.Tfds) and not _is_prepared(values.name):
        names -= {"name"}
    if isinstance(values, settings_lib.Backbone) and values.weights == "imagenet":
        names -= {"weights"}
    return tuple(names)


def _is_prepared(name: str) -> bool:
    """Whether the name of a data set of TensorFlow Datasets is the folder of a prepared one."""
    return pathlib.Path(name, "dataset_info.json").expanduser().is_file()


def stored_path(plain: dict, key: str) -> Any:
    """Returns the absolute path or paths that a run's stored settings hold under a key, or None.

    A key may name one path of several by split, such as `dataset.ids.train`.
    """
    first, _, rest = key.partition(".")
    kind, name = settings_lib.TrainSettings, first
    if rest:
        hint = typing.get_type_hints(kind).get(first)
        kind, name = _stored_kind(hint, plain, first), rest.partition(".")[0]
    if kind is None or name not in settings_lib.paths_of(kind):
        return None
    for part in key.split("."):
        plain = plain[part]
    return plain


def _stored_kind(hint: Any, plain: dict, group: str) -> type | None:
    """Returns the dataclass of a group's stored member; None if it is no group of settings."""
    members = [part for part in typing.get_args(hint) or (hint,) if dataclasses.is_dataclass(part)]
    if len(members) < 2:
        return members[0] if members else None
    try:
        return _member(members, plain[group], key=group)
    except UsageError as error:
        raise KeyError(error.received) from error


def value_of(plain: dict, key: str) -> Any:
    """Returns the value of a dotted key in plain settings, None if there is none."""
    for part in key.split("."):
        plain = plain.get(part) if isinstance(plain, dict) else None
    return plain


def changed_keys(old: dict, new: dict, prefix: str = "") -> list[str]:
    """Returns the dotted keys whose values differ between two plain settings."""
    keys = []
    for key in sorted(old.keys() | new.keys()):
        name = f"{prefix}{key}"
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            keys += changed_keys(a, b, prefix=f"{name}.")
        elif a != b:
            keys.append(name)
    return keys


def no_yaml(error: Exception) -> UserError | None:
    """Returns what is wrong with a configuration file that is no YAML; None for other errors."""
    mark = getattr(error, "problem_mark", None)
    if not isinstance(error, yaml.MarkedYAMLError) or mark is None:
        return None
    return UserError(
        "not valid YAML",
        where=f"{mark.name}:{mark.line + 1}",
        received=error.problem,
        expected="a configuration file of lines `key: value`",
        remedy="Correct this line or the one before it",
    )


def plain_parts(composed: omegaconf.DictConfig, keys: Sequence[str]) -> dict:
    """Returns parts of a composed configuration as plain nested values.

    Args:
        composed: The configuration.
        keys: The dotted keys of the parts.
    """
    parts: dict = {}
    for key in keys:
        *above, last = key.split(".")
        place = parts
        for name in above:
            place = place.setdefault(name, {})
        part = omegaconf.OmegaConf.select(composed, key)
        place[last] = omegaconf.OmegaConf.to_container(part, resolve=True)
    return parts


def register_resolvers(**resolvers: Any) -> None:
    """Makes functions available to `conf/` as `${lrcn.NAME:...}`."""
    for name, function in resolvers.items():
        omegaconf.OmegaConf.register_new_resolver(f"lrcn.{name}", function, replace=True)


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _listed(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_listed(inner) for inner in value]
    return value


def _build(kind: type, plain: Any, *, key: str, choices: dict[str, str]) -> Any:
    """Builds a dataclass from a dict, key by key."""
    member = f" ({key}={choices[key]})" if key in choices else ""
    if not isinstance(plain, dict):
        raise UserError(
            "not a group of keys",
            where=key or "config.json",
            received=plain,
            expected="{key: value, ...}",
            remedy="Choose a member of the group by its name, or set its keys one by one",
        )
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for name, value in plain.items():
        if name not in fields:
            full = f"{key}.{name}" if key else name
            raise unknown_key(full, member, list(fields), received=f"{full}={value}")
    hints = typing.get_type_hints(kind)
    values = {
        name: _convert(hints[name], value, key=f"{key}.{name}" if key else name, choices=choices)
        for name, value in plain.items()
    }
    for name, value in plain.items():
        _check_range(fields[name], hints[name], value, key=f"{key}.{name}" if key else name)
    for name, field in fields.items():
        if name not in values and field.default is dataclasses.MISSING:
            full = f"{key}.{name}" if key else name
            raise UserError(
                "a value is needed",
                where=full,
                received="nothing",
                expected=f"{full}=...",
                remedy="Set it on the command line; a stored config.json that lacks it was written "
                "by another version of lrcn or changed by hand",
            )
    return kind(**values)


def unknown_key(
    key: str, member: str, known: list[str], *, received: str, elsewhere: list[str] | None = None
) -> UsageError:
    """Returns the error for a key that does not exist, with those that do.

    Args:
        key: The dotted key.
        member: The member of the group that was chosen, as ` (group=member)`, or nothing.
        known: The keys there are.
        received: What was given.
        elsewhere: Members of the group that have the key, as `group=member`.
    """
    if "." in key:
        known = [name for name in known if name not in _DISCRIMINATORS]
    near = difflib.get_close_matches(key.rpartition(".")[2], known, n=1)
    meant = f"; did you mean '{near[0]}'?" if near else ""
    remedy = "Leave it out, or choose a member that has it"
    if near or elsewhere:
        remedy = f"Write '{near[0]}'" if near else f"{remedy}: {' | '.join(elsewhere)}"
    return UsageError(
        f"unknown key '{key}'{member}{meant}",
        where=key,
        received=received,
        expected=f"keys here: {', '.join(sorted(known))}" if known else "no key of its own",
        remedy=remedy,
    )


def _convert(hint: Any, value: Any, *, key: str, choices: dict[str, str]) -> Any:
    """Converts one value to its annotated type, or says what was expected."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _convert_union(arguments, value, key=key, choices=choices)
    if dataclasses.is_dataclass(hint):
        return _build(hint, value, key=key, choices=choices)
    if origin is Literal:
        if value in arguments and not isinstance(value, bool):
            return value
        raise settings_lib.misfit(key, value, " | ".join(map(str, arguments)), good=arguments[0])
    if origin is tuple:
        listed = list(value) if isinstance(value, (list, tuple)) else [value]
        return tuple(_convert(arguments[0], item, key=key, choices=choices) for item in listed)
    if origin is dict:
        if not isinstance(value, dict):
            raise settings_lib.misfit(key, value, "{name: value, ...}", good="{train: train}")
        return {
            str(k): _convert(arguments[1], v, key=key, choices=choices) for k, v in value.items()
        }
    return _convert_scalar(hint, value, key=key)


def _convert_union(arguments: tuple, value: Any, *, key: str, choices: dict[str, str]) -> Any:
    members = [argument for argument in arguments if dataclasses.is_dataclass(argument)]
    if members:
        return _build(_member(members, value, key=key), value, key=key, choices=choices)
    if value is None and type(None) in arguments:
        return None
    rest = [argument for argument in arguments if argument is not type(None)]
    if rest == [bool, int]:
        if isinstance(value, (bool, int)):
            return value
        raise settings_lib.misfit(key, value, "true | false | a number", good="true")
    if rest == [str, dict[str, str]]:
        rest = rest[1:] if isinstance(value, dict) else rest[:1]
    try:
        return _convert(rest[0], value, key=key, choices=choices)
    except UserError as error:
        if type(None) in arguments:
            error = settings_lib.misfit(key, value, f"{error.expected} | null", good="null")
        raise error from None


def _member(members: list[type], value: Any, *, key: str) -> type:
    """Picks the dataclass whose `name` or `source` annotation holds the given one."""
    received, known = value, []
    for member in members:
        hints = typing.get_type_hints(member)
        for discriminator in _DISCRIMINATORS:
            hint = hints.get(discriminator)
            if typing.get_origin(hint) is Literal and isinstance(value, dict):
                received = value.get(discriminator)
                known += typing.get_args(hint)
                if received in typing.get_args(hint):
                    return member
                break
    raise UsageError(
        "no such member",
        where=key,
        received=received,
        expected=" | ".join(known) or "a member of the group with its keys",
        remedy=f"Choose one by its name, {key}=NAME",
    )


def _convert_scalar(hint: type, value: Any, *, key: str) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is float and number:
        value = float(value)
    elif hint is str and isinstance(value, (str, int, float)) and not isinstance(value, bool):
        value = str(value)
    elif not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        names = {int: "a whole number", float: "a number", bool: "true | false", str: "text"}
        raise settings_lib.misfit(key, value, names[hint])
    return value


def _check_range(field: dataclasses.Field, hint: Any, value: Any, *, key: str) -> None:
    """Refuses a number, or one of several, that is not in the range of its field."""
    allowed = field.metadata.get(settings_lib.RANGE)
    numbers = value if isinstance(value, (list, tuple)) else [value]
    if allowed is None or value is None or all(map(allowed.holds, numbers)):
        return
    expected = f"{allowed} | null" if type(None) in typing.get_args(hint) else str(allowed)
    raise settings_lib.misfit(key, value, expected)
