import pytest

import agentnb as anb
from agentnb.errors import ProviderError
from agentnb.testing import scripted_runtime


def test_a_scripted_runtime_is_the_process_own_inside_the_block() -> None:
    outside = anb.current()
    with scripted_runtime(["Hello."], max_steps=3) as runtime:
        assert anb.current() is runtime
        assert runtime.store.location == ":memory:"
        assert anb.Agent("greeter").execute_sync("Hi").text == "Hello."
        assert runtime.runs()[0].status == "completed"
        with pytest.raises(ProviderError):
            anb.Agent("greeter").execute_sync("more than the script has")
    assert anb.current() is outside
    assert outside.runs() == []
