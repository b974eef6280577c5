"""Accept what the tool says now: rewrites the files of this folder and README's example."""

from proofs import selfcheck
from tests.golden import PATCHES, README, example, path_of, rendered, report, with_example

for patch in PATCHES:
    path_of(patch).write_text(rendered(report(patch)))
shown = example(report(selfcheck.RIGHT), report(selfcheck.WRONG))
README.write_text(with_example(README.read_text(), shown))
