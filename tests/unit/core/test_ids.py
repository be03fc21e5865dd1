"""Ids are random UUIDs, one by one and by the thousand."""

from uuid import UUID

from yiku.core.ids import new_id, new_ids


def test_ids_are_random_uuids_of_version_four() -> None:
    made = [*new_ids("passage", 2000), new_id("passage")]
    assert len(set(made)) == 2001
    for one in made:
        uuid = UUID(one.removeprefix("passage-"))
        assert one == f"passage-{uuid}"
        assert (uuid.version, uuid.variant) == (4, UUID(int=0x8 << 60).variant)
