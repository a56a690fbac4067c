"""How many imports run: what an operator asks before he stops the gateway."""

from pathlib import Path
from typing import Any

from moving_fixtures import mbox_of, movers, raw_mail
from stations import Station

from bmgate.domain.moving import MovedMail


async def test_an_import_is_told_while_it_runs(station: Station, tmp_path: Path) -> None:
    alice = await station.add_account("alice")
    imports, seen = movers(station, tmp_path).imports, list[int]()
    (tmp_path / "Old").write_bytes(mbox_of(MovedMail("Old", raw_mail(1))))

    async def tell(_value: Any) -> None:
        seen.append(imports.running)

    await imports.mbox(alice.id, tmp_path / "Old", "", tell, dry_run=False)
    assert seen
    assert set(seen) == {1}
    assert imports.running == 0
