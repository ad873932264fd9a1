import threading

import numpy as np
import pytest
import torch

from asdbench.extractors.batches import minibatches, prefetched, to_device


def test_batches_come_in_order_and_the_next_is_made_while_one_is_used():
    made = [threading.Event() for _ in range(5)]

    def batches():
        for number, event in enumerate(made):
            event.set()
            yield number

    seen = []
    for number in prefetched(batches()):
        seen.append(number)
        if number + 1 < len(made):
            assert made[number + 1].wait(10), "the next is made although nobody has asked for it"
    assert seen == [0, 1, 2, 3, 4]


def test_what_making_a_batch_raises_comes_after_the_batches_before_it():
    def batches():
        yield 1
        raise ValueError("unreadable")

    coming = prefetched(batches())
    assert next(coming) == 1
    with pytest.raises(ValueError, match="unreadable"):
        next(coming)


def test_no_thread_is_left_when_a_training_ends_in_the_middle():
    before = threading.active_count()
    coming = prefetched(iter(range(100)))
    next(coming)
    coming.close()
    assert threading.active_count() == before


def test_nothing_gives_nothing():
    assert list(prefetched([])) == []


def test_images_come_as_they_are_with_channels_last_in_memory():
    images = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float16)
    batch = to_device(images, "cpu")
    assert batch.dtype == torch.float32
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert np.array_equal(batch.numpy(), images.astype(np.float32))


def test_a_single_last_item_is_left_out():
    assert minibatches(list(range(7)), 3) == [[0, 1, 2], [3, 4, 5]]
    assert minibatches(list(range(8)), 3) == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert minibatches([0], 3) == []
