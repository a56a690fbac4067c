from bmgate.native import Buffer

BUILD: str

def search(initial_hash: bytes, target: int, start: int, count: int, stop: Buffer) -> tuple[int | None, int]: ...
