"""What the targets' relations depend on."""

from __future__ import annotations

from tests.golden import encodings
from verify.encode import term as t


def test_vmcs12_is_another_in_each_relation() -> None:
    # L1 changes it at any time, so that nothing may depend on what it was at first.
    relations = encodings.switch().relations()
    names = {
        str(v.name)
        for relation in relations
        for v in t.free_vars([*relation.post.values(), *relation.assumes])
    }
    assert any("vmcs12." in name for name in names)
    assert not [name for name in names if name.startswith(("init/vmcs12.", "state/vmcs12."))]
