"""The script of the guide that runs a program when something comes."""

import asyncio
import re
import subprocess
import time
from pathlib import Path

import pytest
from api.house import HOST, House

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "api.md"


class Enough(Exception):
    pass


async def test_the_program_is_told_what_came(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    section = GUIDE.read_text(encoding="utf-8").partition("## Run a program when something comes")[2]
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found is not None
    script = found[1].replace("127.0.0.1:8442", f"{HOST}:{house.port}")
    loop, told, rounds = asyncio.get_running_loop(), list[str](), 0

    def sleep(_seconds: float) -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 3:
            raise Enough
        kind = ("msg", "broadcast")[rounds - 1]
        asyncio.run_coroutine_threadsafe(house.arrived("new", kind=kind), loop).result()

    await house.arrived("here before")
    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(subprocess, "run", lambda words: told.append(words[1]))
    with pytest.raises(Enough):
        await asyncio.to_thread(exec, script, {})
    assert told == ["startingUp", "newMessage", "newBroadcast"]
