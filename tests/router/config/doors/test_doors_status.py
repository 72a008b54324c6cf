"""What is told of the doors."""

from __future__ import annotations

import msgspec
from prometheus_client import CollectorRegistry

from fairlead_router.config.doors.status import DoorGauges, DoorName, Doors


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_door_tells_whether_it_reaches_its_source_and_what_lies_there() -> None:
    clock = Clock()
    doors = Doors(clock)
    door = doors.add(DoorName.API)
    nothing = {"connected": False, "lastContact": None, "error": None, "epoch": None, "revision": None}
    assert msgspec.to_builtins(doors.report()) == {"api": nothing}
    door.reached()
    door.saw((1, 2))
    clock.now = 110
    door.lost("ServerDisconnectedError")
    assert msgspec.to_builtins(doors.report()["api"]) == {
        "connected": False,
        "lastContact": 100.0,
        "error": "ServerDisconnectedError",
        "epoch": 1,
        "revision": 2,
    }


def test_a_source_may_be_reached_and_hold_nothing_good() -> None:
    door = Doors(Clock()).add(DoorName.API)
    door.reached("the ConfigMap does not exist")
    assert (door.report().connected, door.report().error) == (True, "the ConfigMap does not exist")


def test_age_counts_from_the_last_contact_with_the_api_server_or_from_the_start() -> None:
    clock = Clock()
    doors = Doors(clock)
    registry = CollectorRegistry()
    registry.register(DoorGauges(doors))
    assert registry.get_sample_value("fairlead_config_age_seconds") is None
    doors.add(DoorName.LAST_GOOD).reached()
    assert registry.get_sample_value("fairlead_config_age_seconds") is None
    door = doors.add(DoorName.API)
    clock.now = 103
    assert registry.get_sample_value("fairlead_config_age_seconds") == 3
    assert registry.get_sample_value("fairlead_config_source_connected", {"door": "api"}) == 0
    assert registry.get_sample_value("fairlead_config_source_connected", {"door": "last-good"}) == 1
    assert registry.get_sample_value("fairlead_config_source_connected", {"door": "file"}) is None
    door.reached()
    clock.now = 104
    assert registry.get_sample_value("fairlead_config_age_seconds") == 1
    clock.now = 50  # set back
    assert registry.get_sample_value("fairlead_config_age_seconds") == 0
