"""Operations of a network, counted while it computes."""

from typing import Any

from torch import Size, ops
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count


def operation_counter() -> FlopCounterMode:
    """PyTorch's counter, which by itself misses attention on the CPU; a multiply-accumulate is two operations."""
    attention = ops.aten._scaled_dot_product_flash_attention_for_cpu
    return FlopCounterMode(display=False, custom_mapping={attention: _attention})


def _attention(query: Size, key: Size, value: Size, *_: Any, **__: Any) -> int:
    return sdpa_flop_count(query, key, value)  # type: ignore[no-any-return]
