"""What counts as one source."""

import pytest

from bmgate.domain.sources import source_group


@pytest.mark.parametrize(
    ("source", "group"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
    ],
)
def test_a_source_is_an_ipv4_address_or_an_ipv6_network(source: str, group: str) -> None:
    assert source_group(source) == group
