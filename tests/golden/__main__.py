"""Accept what the tool says now: rewrites the files of this folder, README's example, and the
encodings in proofs/golden."""

from proofs import selfcheck
from tests.golden import (
    FORMS,
    PATCHES,
    README,
    encodings,
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
encodings.FOLDER.mkdir(exist_ok=True)
texts = encodings.rendered(encodings.switch())
for old in encodings.FOLDER.iterdir():
    if old.name not in texts:
        old.unlink()
for name, text in texts.items():
    (encodings.FOLDER / name).write_text(text)
