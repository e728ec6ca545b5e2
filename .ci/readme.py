"""Print the commands of README.md, each ended by a NUL: every line of its ``sh`` blocks is one command."""

import re
import sys
from pathlib import Path

text = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
for block in re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
    for line in block.splitlines():
        if line.strip():
            sys.stdout.write(f"{line}\0")
