"""`serve.batching` alone, with a fake executor whose calls end when the test says so."""

import asyncio
import contextvars
import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve.batching import Batcher, Limits
from serve.errors import UnavailableError


class FakeExecutor:
    """Answers a batch with the doubles of its numbers once it is told to; negative numbers fail alone."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gates: list[asyncio.Event] = []

    async def __call__(self, batch: list[int]) -> Sequence[int | Exception]:
        self.batches.append(list(batch))
        gate = asyncio.Event()
        self.gates.append(gate)
        await gate.wait()
        return [ValueError(f"{n} is negative") if n < 0 else 2 * n for n in batch]

    def open_all(self) -> None:
        for gate in self.gates:
            gate.set()


def run(test: Callable[[], Awaitable[Any]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 10))


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def finish(executor: FakeExecutor, *tasks: "asyncio.Task[Any]") -> list[Any]:
    while not all(task.done() for task in tasks):
        executor.open_all()
        await asyncio.sleep(0)
    return await asyncio.gather(*tasks, return_exceptions=True)


def test_no_batch_is_made_in_the_context_of_the_request_that_happened_to_start_it() -> None:
    """Serve cancels the calls of a request's context when the request ends."""
    caller = contextvars.ContextVar("caller", default="nobody")

    async def test() -> None:
        seen: list[str] = []

        async def call(batch: list[int]) -> Sequence[int | Exception]:
            seen.append(caller.get())
            await asyncio.sleep(0)
            return batch

        batcher = Batcher(call, Limits(2, slots=1))

        async def one(number: int) -> None:
            caller.set(f"request {number}")
            await batcher.submit(number)

        await asyncio.gather(*(one(number) for number in range(6)))
        assert seen == ["nobody"] * 4

    run(test)


def test_an_item_leaves_at_once_when_a_slot_is_free() -> None:
    async def test() -> None:
        executor = FakeExecutor()
        batcher = Batcher(executor, Limits(8, slots=1))
        task = asyncio.create_task(batcher.submit(1))
        await settle()
        assert executor.batches == [[1]]
        assert await finish(executor, task) == [2]

    run(test)


def test_items_gather_while_all_slots_are_busy_and_leave_as_one_batch() -> None:
    async def test() -> None:
        executor = FakeExecutor()
        batcher = Batcher(executor, Limits(8, slots=1))
        tasks = [asyncio.create_task(batcher.submit(n)) for n in range(6)]
        await settle()
        assert executor.batches == [[0]]
        executor.open_all()
        await settle()
        assert executor.batches == [[0], [1, 2, 3, 4, 5]]
        assert await finish(executor, *tasks) == [0, 2, 4, 6, 8, 10]

    run(test)


def test_one_bad_item_fails_alone() -> None:
    async def test() -> None:
        executor = FakeExecutor()
        batcher = Batcher(executor, Limits(8, slots=1))
        tasks = [asyncio.create_task(batcher.submit(n)) for n in (1, 2, -3, 4)]
        good, two, bad, four = await finish(executor, *tasks)
        assert (good, two, four) == (2, 4, 8)
        assert isinstance(bad, ValueError)

    run(test)


def test_a_call_that_raises_fails_its_batch_and_the_next_one_works() -> None:
    async def test() -> None:
        calls = 0

        async def call(batch: list[int]) -> list[int]:
            nonlocal calls
            calls += 1
            if calls == 1:
                raise RuntimeError("broken once")
            return batch

        batcher = Batcher(call, Limits(8, slots=1))
        with pytest.raises(RuntimeError, match="broken once"):
            await batcher.submit(1)
        assert await batcher.submit(7) == 7

    run(test)


def test_a_call_that_returns_too_few_results_fails_every_item_of_its_batch() -> None:
    async def test() -> None:
        async def call(batch: list[int]) -> list[int]:
            return []

        with pytest.raises(UnavailableError, match="expected 1 results, got 0"):
            await Batcher(call, Limits(8)).submit(1)

    run(test)


def test_an_item_whose_caller_has_gone_is_never_sent() -> None:
    async def test() -> None:
        executor = FakeExecutor()
        batcher = Batcher(executor, Limits(8, slots=1))
        tasks = [asyncio.create_task(batcher.submit(n)) for n in (1, 2, 3)]
        await settle()
        tasks[1].cancel()
        await settle()
        await finish(executor, tasks[0], tasks[2])
        assert executor.batches == [[1], [3]]

    run(test)


def test_a_full_queue_refuses_at_once() -> None:
    async def test() -> None:
        executor = FakeExecutor()
        batcher = Batcher(executor, Limits(1, slots=1, queued=2))
        tasks = [asyncio.create_task(batcher.submit(n)) for n in range(3)]
        await settle()
        with pytest.raises(UnavailableError, match="at most 2 items"):
            await batcher.submit(9)
        assert await finish(executor, *tasks) == [0, 2, 4]

    run(test)


def test_callers_who_have_gone_take_no_room_in_the_queue() -> None:
    async def test() -> None:
        executor = FakeExecutor()
        batcher: Batcher[int, int] = Batcher(executor, Limits(items=1, slots=1, queued=2), size_of=lambda _: 1)
        first, gone, also = (asyncio.create_task(batcher.submit(n)) for n in (1, 2, 3))
        await settle()
        gone.cancel()
        also.cancel()
        await settle()
        last = asyncio.create_task(batcher.submit(4))
        assert await finish(executor, first, last) == [2, 8]
        assert executor.batches == [[1], [4]]

    run(test)


def test_a_call_that_hangs_is_given_up_and_its_slot_is_free() -> None:
    async def test() -> None:
        calls = 0

        async def call(batch: list[int]) -> list[int]:
            nonlocal calls
            calls += 1
            if calls == 1:
                await asyncio.Event().wait()
            return batch

        batcher = Batcher(call, Limits(1, slots=1, seconds=0.05))
        lost, next_one = await asyncio.gather(batcher.submit(1), batcher.submit(2), return_exceptions=True)
        assert isinstance(lost, UnavailableError)
        assert str(lost) == "expected the stage to answer within 0.05 s, got nothing"
        assert next_one == 2

    run(test)


def test_a_timeout_of_the_calls_own_is_told_as_it_is() -> None:
    async def test() -> None:
        async def call(batch: list[int]) -> list[int]:
            raise TimeoutError("its own")

        with pytest.raises(TimeoutError, match="its own"):
            await Batcher(call, Limits(1)).submit(1)

    run(test)


def test_a_call_is_cancelled_once_all_its_callers_have_gone_and_not_before() -> None:
    async def test() -> None:
        ended: list[str] = []
        executor = FakeExecutor()

        async def call(batch: list[int]) -> Sequence[int | Exception]:
            try:
                return await executor(batch)
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise

        batcher = Batcher(call, Limits(8, slots=1))
        first = asyncio.create_task(batcher.submit(0))
        await settle()
        tasks = [asyncio.create_task(batcher.submit(n)) for n in (1, 2)]
        await finish(executor, first)
        await settle()
        assert executor.batches == [[0], [1, 2]]
        tasks[0].cancel()
        await settle()
        assert ended == []
        tasks[1].cancel()
        await settle()
        assert ended == ["cancelled"]
        assert await finish(executor, asyncio.create_task(batcher.submit(3))) == [6]

    run(test)


def test_an_observer_that_raises_leaves_no_caller_waiting() -> None:
    async def test() -> None:
        def broken(_: float) -> None:
            raise ValueError("the observer is broken")

        async def call(batch: list[int]) -> list[int]:
            return batch

        with pytest.raises(ValueError, match="the observer is broken"):
            await Batcher(call, Limits(1, slots=1), observe=broken).submit(1)
        batcher = Batcher(call, Limits(1, slots=1))
        with pytest.raises(ValueError, match="the observer is broken"):
            await batcher.submit(1, broken)
        assert await batcher.submit(2) == 2

    run(test)


def test_who_waits_is_counted_until_they_leave() -> None:
    async def test() -> None:
        executor = FakeExecutor()
        batcher = Batcher(executor, Limits(8, slots=1))
        tasks = [asyncio.create_task(batcher.submit(n)) for n in range(3)]
        await settle()
        assert batcher.num_waiting == 2
        tasks[2].cancel()
        await settle()
        assert batcher.num_waiting == 1
        await finish(executor, *tasks[:2])
        assert batcher.num_waiting == 0

    run(test)


@settings(max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 50), min_size=1, max_size=40),
    items=st.integers(1, 9),
    most_bytes=st.integers(10, 120),
    slots=st.integers(1, 3),
)
def test_every_item_gets_its_own_result_and_no_batch_passes_a_bound(
    sizes: list[int], items: int, most_bytes: int, slots: int
) -> None:
    async def test() -> None:
        executor = FakeExecutor()
        batcher = Batcher(executor, Limits(items, bytes=most_bytes, slots=slots), size_of=lambda n: n)
        tasks = [asyncio.create_task(batcher.submit(size)) for size in sizes]
        assert await finish(executor, *tasks) == [2 * size for size in sizes]
        assert list(itertools.chain(*executor.batches)) == sizes or slots > 1
        for batch in executor.batches:
            assert len(batch) <= items
            assert sum(batch) <= most_bytes or len(batch) == 1

    run(test)
