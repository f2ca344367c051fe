"""``gridwire siooi profile new`` and ``check``."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from gridwire.cli.exits import ExitCode
from gridwire.cli.output import clean, out, out_json, tell
from gridwire.cli.siooi.link import Link
from gridwire.errors import ConfigurationError, InvalidInput
from gridwire.settings import expanded


def new(
    link: Link,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The file to write; stdout unless named.")
    ] = None,
) -> int:
    """Write a commented profile to fill in, with the questions for the venue's support in Russian and English."""
    from gridwire.siooi.letters import SUPPORT

    text = _template()
    if file is None:
        for line in text.splitlines():
            out(clean(line))
        return ExitCode.DONE
    try:
        with expanded(file, "FILE").open("x", encoding="utf-8") as written:
            written.write(text)
    except FileExistsError:
        raise InvalidInput(f"{file} is there already and was left as it is.") from None
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}.") from None
    tell(link.words("written", file=file, support=SUPPORT))
    return ExitCode.DONE


def _template() -> str:
    return files("gridwire.siooi").joinpath("profile_template.toml").read_text(encoding="utf-8")


_TO_FILL_IN = ("base_url", "source_note")
"""What the template cannot know, whatever the installation."""


def check(
    link: Link,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The profile; that of the settings unless named.")
    ] = None,
) -> int:
    """Check a profile whole, and name every field that is wrong. Nothing is sent."""
    from gridwire.siooi import load_profile

    chosen = file or (Path(link.settings.profile) if link.settings.profile else None)
    if chosen is None:
        raise InvalidInput("Name the profile's file, or set GRIDWIRE_SIOOI_PROFILE.")
    profile = load_profile(chosen)
    template = tomllib.loads(_template())
    left = [name for name in _TO_FILL_IN if getattr(profile, name) == template[name]]
    code = ExitCode.SETUP if left else ExitCode.DONE
    if link.json:
        facts = {"name": profile.name, "host": profile.host, "confirmed": profile.confirmed, "local": profile.is_local}
        out_json({**facts, "untouched": left})
        return code
    if left:
        tell(link.words("untouched", file=chosen, fields=", ".join(left)), label=link.words("label_error"), style="red")
        return code
    doubt = "" if profile.confirmed else link.words("not_confirmed")
    out(clean(link.words("profile_fine", name=profile.name, host=profile.host, confirmed=doubt)))
    return ExitCode.DONE
