"""msrproof export: transition systems for other engines."""

from __future__ import annotations

import os
from pathlib import Path

import click

from verify.commands import options
from verify.errors import BadInput
from verify.request import Request


@click.command("export", short_help="Write transition systems for other engines.")
@options.kernel
@options.patch
@options.target
@options.properties
@options.define
@options.config
@options.hardware
@click.option(
    "--format",
    "form",
    type=click.Choice(["btor2", "smt2", "vmt"]),
    required=True,
    help="BTOR2, constrained Horn clauses in SMT-LIB 2, or VMT.",
)
@click.option(
    "--output",
    metavar="PATH",
    type=click.Path(path_type=Path),
    required=True,
    help="New folder for a file for each property, or one file (PATH ends with .FORMAT).",
)
def export(
    kernel: Path | None,
    patches: tuple[str, ...],
    target: str,
    properties: tuple[str, ...],
    defines: dict[str, str],
    config: dict[str, int],
    hardware: dict[str, str],
    form: str,
    output: Path,
) -> int:
    """Write the switch as transition systems whose bad states violate a property.

    The first step is setup, each further one a step of the switch, an emulated access, or nothing.
    Comments tell which one each value of the input `choice` stands for. A property of two runs
    (leak.*, access.closed) becomes the product of both; where they are compared in several ways,
    one system for each.

    \b
    Example:
      msrproof export --format btor2 --property restore.PMC --output pmc.btor2
      btormc -kmax 5 pmc.btor2
    """
    options.once(patches)
    from verify.output import refuse, refuse_folder, write, write_folder

    single = output.suffix == f".{form}"
    if single:
        refuse(output, kernel)
    else:
        refuse_folder("--output", output, kernel)
    request = Request(
        kernel=kernel,
        patches=patches,
        target=target,
        properties=properties,
        defines=defines,
        config=config,
        hardware=hardware,
        jobs=len(os.sched_getaffinity(0)),
    )
    from verify.encode.btor2 import to_btor2
    from verify.encode.system import to_horn, to_vmt
    from verify.relations import exported

    printer = {"btor2": to_btor2, "smt2": to_horn, "vmt": to_vmt}[form]
    systems = exported(request)
    if single and len(systems) > 1:
        names = ", ".join(list(systems)[:3])
        raise BadInput(f"--output {output}: one file for {names} ...; give a folder or --property")
    files = {f"{name}.{form}": printer(system) for name, system in systems.items()}
    if single:
        write(output, *files.values())
    else:
        write_folder("--output", output, files)
    return 0
