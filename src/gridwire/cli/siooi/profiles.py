"""``gridwire siooi profile new`` and ``check``."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from gridwire.cli.exits import ExitCode
from gridwire.cli.output import clean, out, out_json, tell
from gridwire.cli.siooi.link import Link
from gridwire.errors import ConfigurationError, InvalidInput


def new(
    link: Link,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The file to write; stdout unless named.")
    ] = None,
) -> int:
    """Write a commented profile to fill in, with the questions for the venue's support in Russian and English."""
    from gridwire.siooi.letters import SUPPORT

    text = files("gridwire.siooi").joinpath("profile_template.toml").read_text(encoding="utf-8")
    if file is None:
        for line in text.splitlines():
            out(clean(line))
        return ExitCode.DONE
    try:
        with file.open("x", encoding="utf-8") as written:
            written.write(text)
    except FileExistsError:
        raise InvalidInput(f"{file} is there already and was left as it is.") from None
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}.") from None
    tell(link.words("written", file=file, support=SUPPORT))
    return ExitCode.DONE


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
    if link.json:
        out_json(
            {"name": profile.name, "host": profile.host, "confirmed": profile.confirmed, "local": profile.is_local}
        )
        return ExitCode.DONE
    doubt = "" if profile.confirmed else link.words("not_confirmed")
    out(clean(link.words("profile_fine", name=profile.name, host=profile.host, confirmed=doubt)))
    return ExitCode.DONE
