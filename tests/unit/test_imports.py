"""What importing and loading the extension may load: sets of modules, because times wobble."""

import subprocess
import sys

import pytest

HEAVY = {
    "openai",
    "openvino",
    "openvino_genai",
    "duckdb",
    "faiss",
    "papermill",
    "nbformat",
    "jupyter_server",
    "IPython",
    "pydantic",
    "httpx",
    "numpy",
    "ipywidgets",
}


def loaded(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(' '.join(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_loads_nothing_heavy() -> None:
    assert not loaded("import agentnb") & HEAVY


def test_runtime_loads_no_vendor() -> None:
    vendors = HEAVY - {"pydantic", "httpx", "numpy"}
    assert not loaded("import agentnb; agentnb.Agent; agentnb.Runtime") & vendors


def test_load_ext_loads_no_vendor() -> None:
    code = "from IPython.core.interactiveshell import InteractiveShell as S\nS.instance().run_line_magic('load_ext', 'agentnb')"
    found = loaded(code)
    assert "agentnb" in found
    assert not found & (HEAVY - {"IPython"})


@pytest.mark.parametrize("name", ["Agent", "AgentResult", "Context", "Runtime", "StreamEvent", "Tool", "tool"])
def test_public_names(name: str) -> None:
    import agentnb

    assert getattr(agentnb, name).__name__ == name
    assert name in dir(agentnb)


def test_unknown_name() -> None:
    import agentnb

    with pytest.raises(AttributeError, match="nonsense"):
        _ = agentnb.nonsense
