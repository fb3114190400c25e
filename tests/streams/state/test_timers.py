"""Timers against a plain dictionary that is sorted when asked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.state.timers import Key, Timers

KEYS = st.sampled_from([("a",), ("a", "1"), ("b",), ("b", "0"), ("ä",)])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), KEYS, st.integers(-5, 12)),
        st.tuples(st.just("cancel"), KEYS, st.just(0)),
        st.tuples(st.just("pop"), st.just(("",)), st.integers(-5, 12)),
    ),
    max_size=60,
)


@given(STEPS)
def test_timers_equal_a_sorted_dictionary(steps: list[tuple[str, Key, int]]) -> None:
    timers, model = Timers(), dict[Key, int]()
    for what, key, number in steps:
        if what == "set":
            timers.set(key, number)
            model[key] = number
        elif what == "cancel":
            timers.cancel(key)
            model.pop(key, None)
        else:
            due = sorted((due, key) for key, due in model.items() if due <= number)
            fired = timers.pop(number)
            assert fired == (due[0] if due else None)
            if fired is not None:
                del model[fired[1]]
        assert timers.next_due == min(model.values(), default=None)
        assert len(timers) == len(model)
        assert all(timers.due_of(key) == due for key, due in model.items())
    rest = sorted((due, key) for key, due in model.items())
    assert [timers.pop(99) for _ in rest] == rest and timers.pop(99) is None


def test_a_key_that_is_set_again_fires_once_and_at_its_new_time() -> None:
    timers = Timers()
    for due in (5, 9, 5, 7):
        timers.set(("k",), due)
    assert timers.pop(6) is None
    assert timers.pop(8) == (7, ("k",))
    assert timers.pop(100) is None
