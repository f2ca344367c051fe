"""Settings: arguments outrank the environment, which outranks ``gridwire.toml``, which outranks the keyring.

A path in a file belongs to the folder of that file, wherever the program is started; every other relative path to the working
folder. ``~`` is the home folder everywhere.

Nothing has a silent default that could move money: the environment must be named, and facts whose source is uncertain
must be confirmed by name before a write in production relies on them.
"""

from __future__ import annotations

import difflib
import os
import stat
import sys
import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, get_args, get_origin

from gridwire.errors import ConfigurationError, Unconfirmed

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

ENVIRONMENTS = ("sandbox", "test", "production")
FILE_NAME = "gridwire.toml"

M = TypeVar("M", bound="BaseModel")


@dataclass(frozen=True, slots=True)
class IsPath:
    """Marks a field of a settings class, within ``Annotated``, as the path of a file or folder."""


@dataclass(frozen=True, slots=True)
class Fact:
    """How sure we are of one profile field, why not surer, and who can tell."""

    confidence: Literal["medium", "low"]
    why: str
    ask: str


def check_environment(
    value: str | None, *, setting: str, production: str = "real money", also: Mapping[str, str] | None = None
) -> str:
    """Return ``value`` if it names an environment; raise `ConfigurationError` that lists the choices if not.

    ``production`` says what is at stake there. ``also`` has the venue's own names of environments, with ours.
    """
    if value is None or value == "":
        raise ConfigurationError(
            f"No environment is chosen, and there is no default. Set {setting} to sandbox (a venue on this machine), "
            f"test (the venue's test system) or production ({production})."
        )
    if value not in ENVIRONMENTS:
        ours = (also or {}).get(value.lower())
        hint = f" What the venue calls {value} is {ours} here." if ours else ""
        raise ConfigurationError(f"{setting} is {value!r}; it must be one of {', '.join(ENVIRONMENTS)}.{hint}")
    return value


def require_confirmed(
    *,
    venue: str,
    environment: str,
    facts: Mapping[str, Fact],
    fields: Iterable[str],
    confirmed: Collection[str],
    use: str,
    variable: str,
) -> None:
    """Raise `Unconfirmed` if a production call would rely on uncertain fields that ``confirmed`` does not list.

    ``use`` names what was about to happen ("send a bid"), ``variable`` the environment variable of ``confirmed``. The error
    speaks of all these fields, and of what to set so that they and those confirmed before are confirmed.
    """
    missing = {name: facts[name] for name in fields if name in facts and name not in confirmed}
    if environment != "production" or not missing:
        return
    doubts = "; ".join(
        f"{name!r} is only of {fact.confidence} confidence, because {fact.why}" for name, fact in missing.items()
    )
    ask = " and ".join(dict.fromkeys(fact.ask for fact in missing.values()))
    names = [*sorted(confirmed), *missing]
    raise Unconfirmed(
        f"Refused to {use} at {venue} production: {doubts}. Ask {ask}; then set {variable}={','.join(names)}, or pass "
        f"confirmed={names!r}. Nothing was sent."
    )


def refuse_login(name: str, url: str) -> None:
    """Raise `ConfigurationError`, without repeating it, for a login in an address: no address of a venue holds one."""
    if "@" in url:
        raise ConfigurationError(
            f"{name} holds an @, which parts a login from its host: write the address without it, and the login in the "
            "settings that are made for it. Nothing was sent."
        )


def known_fields(confirmed: Collection[str], facts: Mapping[str, Fact]) -> frozenset[str]:
    """Check that every name in ``confirmed`` is one of the uncertain fields, so that a typing error is not a silent no."""
    if isinstance(confirmed, str):
        raise ConfigurationError(f"confirmed= takes a list of names, like confirmed=[{confirmed!r}], not a text alone.")
    unknown = sorted(set(confirmed) - set(facts))
    if unknown:
        names = ", ".join(sorted(facts)) or "none in this environment"
        raise ConfigurationError(
            f"confirmed= names {', '.join(unknown)}; the fields that can be confirmed are: {names}."
        )
    return frozenset(confirmed)


_FLAGS = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0"), False),
}
"""The words that pydantic takes for a bool in the settings that are nothing else."""


def flag_or_path(value: object) -> object:
    """A word for yes or no as a bool, in any case, and everything else as it is: a path. A file named ``off`` is ``./off``."""
    return _FLAGS.get(value.lower(), value) if isinstance(value, str) else value


def expanded(given: str | Path, name: str) -> Path:
    """``given`` with ``~`` as the home folder. Raises `ConfigurationError` that calls it ``name``."""
    try:
        if not isinstance(given, (str, Path)) or not str(given).strip() or "\0" in str(given):
            raise ValueError("empty")
        path = Path(given).expanduser()
        # HOME counts as it does for the usual places: empty, it would mean the root; relative, the working folder.
        if path != Path(given) and (
            not path.is_absolute() or (Path(given).parts[0] == "~" and not os.environ.get("HOME", "x"))
        ):
            raise RuntimeError("no home folder")
        return path
    except ValueError:
        raise ConfigurationError(
            f"{name}={given!r} is no path: write it as a str or a pathlib.Path. Nothing was sent."
        ) from None
    except RuntimeError:
        raise ConfigurationError(
            f"{name}={str(given)!r} begins in a home folder, and there is none for that user here (HOME): write the whole path. "
            "Nothing was sent."
        ) from None


def existing(given: str | Path, name: str, what: Literal["file", "folder"]) -> Path:
    """``given`` as a file or folder that is there, with ``~`` as in `expanded`. Raises `ConfigurationError`."""
    path = expanded(given, name)
    try:
        if path.is_file() if what == "file" else path.is_dir():
            return path
    except OSError as error:
        raise ConfigurationError(
            f"{name} names {path}, which cannot be looked at ({error.strerror}): let this user read it. Nothing was sent."
        ) from None
    raise ConfigurationError(f"{name} names {path}, which is not a {what}. Nothing was sent.")


def lasting_path(given: str | Path, name: str) -> Path:
    """``given`` as one place for good, whatever folder the program moves to and by whatever link the place is reached.

    Two programs that name a journal differently must still find each other's entries. Raises `ConfigurationError`.
    """
    path = expanded(given, name)
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        why = "it leads round in a ring of links" if isinstance(error, RuntimeError) else str(error.strerror)
        if isinstance(error, FileNotFoundError):
            why = "the working folder, to which it belongs, was deleted"
        raise ConfigurationError(
            f"{name}={str(given)!r} leads nowhere: {why}. Write the whole path of a place that can be. Nothing was sent."
        ) from None


def state_directory(setting: str) -> Path:
    """Where this operating system keeps the state of programs: ``$XDG_STATE_HOME`` or ``~/.local/state`` on Linux.

    Raises `ConfigurationError` that names ``setting``, with which another place can be given.
    """
    if sys.platform == "win32":  # pragma: no cover - runs on Windows only
        base = Path(os.environ.get("LOCALAPPDATA") or _home(setting) / "AppData" / "Local")
    elif sys.platform == "darwin":  # pragma: no cover - runs on macOS only
        base = _home(setting) / "Library" / "Application Support"
    else:
        named = Path(os.environ.get("XDG_STATE_HOME", ""))
        base = named if named.is_absolute() else _home(setting) / ".local" / "state"
    return base / "gridwire"


def _home(setting: str) -> Path:
    try:
        home = Path.home()
    except RuntimeError:
        home = Path()
    if not home.is_absolute() or os.environ.get("HOME") == "":  # Path.home() makes that the root
        raise ConfigurationError(
            f"This user has no home folder (HOME), so {setting} has no usual place, and it must outlive the program: give its "
            f"path with the setting {setting} (the environment variable that ends with _{setting.upper()}), or set "
            "XDG_STATE_HOME to a folder for all such files. Nothing was sent."
        )
    return home


def temporary_folder(prefix: str) -> str:
    """A new folder for what ends with the program. Raises `ConfigurationError` where none can be made."""
    try:
        return tempfile.mkdtemp(prefix=prefix)
    except OSError as error:
        raise ConfigurationError(
            f"No temporary folder can be made ({error.strerror}): set TMPDIR to a folder that can be written. Nothing was sent."
        ) from None


def find_file(start: Path | None = None) -> Path | None:
    """The nearest ``gridwire.toml`` in ``start`` (the current folder) or above, or None.

    Raises `ConfigurationError` for one that another user can write, because it says where passwords go, and for a folder
    that cannot be looked into, because it may be there; and for a link of that name that leads nowhere.
    """
    folder = start
    try:
        here = (start or Path.cwd()).resolve()
        for folder in (here, *here.parents):
            candidate = folder / FILE_NAME
            if candidate.is_file():
                _refuse_foreign(candidate)
                return candidate
            if os.path.lexists(candidate):  # whoever made it meant to set something
                why = "is a link that leads nowhere" if candidate.is_symlink() else "is not a file"
                raise ConfigurationError(f"{candidate} {why}: put the settings there, or remove it. Nothing was sent.")
    except FileNotFoundError:
        raise ConfigurationError(
            f"The working folder was deleted, so no {FILE_NAME} can be looked for in it and above. {_NAME_IT}"
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"{FILE_NAME} cannot be looked for in {folder} ({error.strerror}). {_NAME_IT}"
        ) from None
    return None


_NAME_IT = (
    "Start the program in a folder that this user may read, or name the file (file=, --config). Nothing was sent."
)


def _refuse_foreign(path: Path) -> None:
    if not hasattr(os, "geteuid"):
        return  # Windows keeps rights elsewhere
    found = path.stat()
    if found.st_uid not in (os.geteuid(), 0) or found.st_mode & stat.S_IWOTH:
        raise ConfigurationError(
            f"{path} was found, but it belongs to another user or can be written by everyone, and it would say where your "
            "password goes. It was not read: make it yours alone, or name the file to read."
        )


def _table_of(path: Path | None, table: str) -> dict[str, Any]:
    if path is None:
        return {}
    import tomllib

    try:
        # Windows editors write a byte-order mark, which says nothing new in UTF-8 (TOML 1.1, "Spec").
        whole = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise ConfigurationError(
            f"{path} cannot be read: it is not UTF-8. Save it as UTF-8. Nothing was sent."
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}. Nothing was sent.") from None
    except ValueError as error:
        raise ConfigurationError(f"{path} cannot be read: {error}. Nothing was sent.") from None
    part = whole.get(table, {})
    if not isinstance(part, dict):
        raise ConfigurationError(f"{table} in {path} must be a table, written as [{table}].")
    return part


def load(schema: type[M], *, prefix: str, table: str, overrides: Mapping[str, Any], file: Path | None = None) -> M:
    """Read the settings of one venue.

    ``schema`` is a pydantic model class whose fields name the settings; the environment variables are ``prefix`` plus
    the field's name in capitals; ``table`` is the table of ``gridwire.toml`` (``file``, or the nearest one from the
    current folder upwards); ``overrides`` are the caller's arguments (None means not given). Fields marked with `IsPath`
    are paths: those of the file belong to its folder. Raises `ConfigurationError` naming the setting, also for a name in the
    table or with the prefix that is none.
    """
    from pydantic import ValidationError, create_model
    from pydantic_settings import BaseSettings, InitSettingsSource, SettingsConfigDict

    path = find_file() if file is None else lasting_path(file, "file")
    from_file = _table_of(path, table)
    _refuse_unknown(schema.model_fields, from_file, prefix=prefix, where=f"the table [{table}] of {path}")
    paths = [
        name for name, field in schema.model_fields.items() if any(isinstance(one, IsPath) for one in field.metadata)
    ]
    if path is not None:
        folder = lasting_path(path, "file").parent  # of the file itself, by whatever link it is found
        for name in paths:
            value = from_file.get(name)
            flag = bool in get_args(schema.model_fields[name].annotation) and isinstance(flag_or_path(value), bool)
            if isinstance(value, str) and value and not flag:
                from_file = {**from_file, name: str(folder / expanded(value, name))}

    class _Reader(BaseSettings):
        model_config = SettingsConfigDict(env_prefix=prefix, extra="ignore", env_ignore_empty=True, allow_inf_nan=False)

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, _variables(settings_cls), InitSettingsSource(settings_cls, init_kwargs=from_file)

    reader = create_model("Settings", __base__=(_Reader, schema))
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        found = reader(**given)
    except (ValidationError, ValueError) as error:
        name, what = _first_complaint(error, schema)
        raise ConfigurationError(
            f"The setting {name} (environment variable {prefix}{name.upper()}, or {name} in the table [{table}] of "
            f"{path or FILE_NAME}) cannot be used: {what}."
        ) from None
    for name in paths:
        value = getattr(found, name)
        if isinstance(value, (str, Path)) and str(value).startswith("~"):
            setattr(found, name, type(value)(expanded(value, name)))
    return cast("M", found)


def _refuse_unknown(known: Collection[str], from_file: Collection[str], *, prefix: str, where: str) -> None:
    """A misspelt setting is not left out in silence: it was meant to change something. Empty variables count as not set."""
    complaints = [
        f"{name} in {where} is no setting{_meant(name, known)}" for name in sorted(from_file) if name not in known
    ]
    named = sorted(name for name, value in os.environ.items() if name.upper().startswith(prefix) and value)
    complaints += [
        f"The environment variable {name} is no setting{_meant(name[len(prefix) :].lower(), known, prefix)}"
        for name in named
        if name[len(prefix) :].lower() not in known
    ]
    complaints += [
        f"The environment variable {name} is not UTF-8: write it anew."
        for name in named
        if any("\udc80" <= letter <= "\udcff" for letter in os.environ[name])  # bytes that are none (PEP 383)
    ]
    if complaints:
        raise ConfigurationError(f"{' '.join(complaints)} Nothing was sent.")


_OTHER_WORDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("amqp_queue", "amqp_queue_name", "amqp_source", "queue", "queue_name"), ("amqp_address",)),
    **dict.fromkeys(("amqp_broker", "amqp_server", "amqp_url", "broker"), ("amqp_host",)),
    **dict.fromkeys(("amqp_vhost", "vhost"), ("amqp_virtual_host",)),
    **dict.fromkeys(("account", "service_account", "user", "username", "login"), ("username", "login", "client_id")),
    **dict.fromkeys(("key_file", "key_path", "pem", "pem_file"), ("private_key_file",)),
    **dict.fromkeys(("ca", "ca_cert", "ca_file", "cafile"), ("ca_bundle",)),
    **dict.fromkeys(("cert", "cert_file"), ("client_cert",)),
    "aud": ("audience",),
    "env": ("environment", "profile"),
    "key": ("private_key",),
    "kid": ("key_id",),
}
"""What others call our settings: by their letters alone another one would be the nearest."""


def _meant(name: str, known: Collection[str], prefix: str = "") -> str:
    close = [one for one in _OTHER_WORDS.get(name, ()) if one in known][:1]
    close = close or difflib.get_close_matches(name, known, n=1)
    if not close:
        return ": remove it."
    return f"; did you mean {prefix + close[0].upper() if prefix else close[0]}?"


def _variables(reader: type[BaseSettings]) -> PydanticBaseSettingsSource:
    """The environment, where a list may be written as words with commas between as well as in JSON."""
    from pydantic.fields import FieldInfo
    from pydantic_settings import EnvSettingsSource

    class _Variables(EnvSettingsSource):
        def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
            if isinstance(value, str) and _is_list(field.annotation) and not value.lstrip().startswith("["):
                return [word.strip() for word in value.split(",") if word.strip()]
            return super().decode_complex_value(field_name, field, value)

    return _Variables(reader)


def _is_list(annotation: Any) -> bool:
    return any(get_origin(one) is list for one in (annotation, *get_args(annotation)))


_LIST = 'a list is written like ["one", "two"]; in the environment one,two will do'
_TABLE = 'it is written as JSON in the environment, like {"name": "value"}, and as a table in the file'


def _complaint(place: tuple[int | str, ...], kind: str, text: str) -> str:
    what = {"list_type": _LIST, "dict_type": _TABLE}.get(kind, text)
    entry = next((part for part in place[1:] if isinstance(part, int)), None)
    return what if entry is None else f"of its entry {entry + 1}: {what}"


def _first_complaint(error: ValueError, schema: type[BaseModel]) -> tuple[str, str]:
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    if isinstance(error, ValidationError):
        found = error.errors(include_input=False, include_url=False)
        name = str(found[0]["loc"][0]) if found[0]["loc"] else "?"
        # Of a setting that may be one of several things, there is one complaint for each.
        whats = [
            _complaint(one["loc"], one["type"], one["msg"]) for one in found if one["loc"][:1] == found[0]["loc"][:1]
        ]
        return name, " or ".join(dict.fromkeys(whats))
    if isinstance(error, SettingsError):
        # 'error parsing value for field "confirmed" from source "EnvSettingsSource"'
        name = str(error).partition('"')[2].partition('"')[0]
        field = schema.model_fields.get(name)
        return name or "?", _LIST if field is not None and _is_list(field.annotation) else _TABLE
    return "?", type(error).__name__


def password_from_keyring(table: str, username: str, *, setting: str) -> str | None:
    """The password stored in the system keyring for this venue and user, if the ``keyring`` extra is installed.

    None where there is no keyring or nothing in it. Raises `ConfigurationError` for one that fails: ``setting`` is the
    environment variable that makes it needless.
    """
    try:
        import keyring
        from keyring.errors import NoKeyringError
    except ImportError:
        return None
    try:
        found = keyring.get_password(f"gridwire.{table}", username)
    except NoKeyringError:
        return None
    except Exception as error:  # noqa: BLE001 - backends are others' code: D-Bus, a backend that is not installed
        raise ConfigurationError(
            f"{setting} is not set, so the system keyring was asked for it, and failed ({type(error).__name__}): set {setting}, "
            "or unlock or repair the keyring. Nothing was sent."
        ) from None
    return str(found) if found is not None else None
