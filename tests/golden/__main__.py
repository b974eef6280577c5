"""Accept what the tool says now: rewrites the files of this folder and README's example."""

from proofs import selfcheck
from tests.golden import (
    FORMS,
    PATCHES,
    README,
    example,
    path_of,
    path_of_printed,
    printed,
    rendered,
    report,
    with_example,
)

for patch in PATCHES:
    path_of(patch).write_text(rendered(report(patch)))
for form in FORMS:
    path_of_printed(form).parent.mkdir(exist_ok=True)
    path_of_printed(form).write_text(printed(report(selfcheck.WRONG), form))
shown = example(report(selfcheck.RIGHT), report(selfcheck.WRONG))
README.write_text(with_example(README.read_text(), shown))
