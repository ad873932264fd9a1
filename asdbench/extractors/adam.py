"""Adam over a network's parameters, those of a small network in few long rows of numbers."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

SMALL = 1_000_000  # numbers of a network that is stepped in rows; a larger one's parameters are long themselves
ROW = 65_536  # numbers; the several passes over a row find it in a core's cache
ALIGNED = 16  # numbers; each parameter begins where the processor's caches and vector units like it


class Adam:
    """Kingma and Ba (2015), by torch's own function and so equal to ``torch.optim.Adam`` to the last bit.

    Its class is not used for two reasons: making one imports ``torch._dynamo``, which takes seconds; and it goes
    through the parameters one by one, which takes a small network as long as a third of its gradients do.

    Args:
        network: on its device already; the parameters of a small one become views of rows.
        rate: learning rate, to be set before any step.
    """

    def __init__(self, network: nn.Module, rate: float) -> None:
        self.rate = rate
        parameters: Sequence[Tensor] = list(network.parameters())
        self._joined = sum(parameter.numel() for parameter in parameters) <= SMALL
        self._parameters = _rows(parameters) if self._joined else parameters
        self._means = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._squares = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._steps = [torch.tensor(0.0) for _ in self._parameters]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self._parameters:
            if self._joined and parameter.grad is not None:
                parameter.grad.zero_()  # the parameters' own gradients are views of it
            else:
                parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Change the parameters by their gradients; one that has none stays."""
        used = [place for place, parameter in enumerate(self._parameters) if parameter.grad is not None]
        adam(
            [self._parameters[place] for place in used],
            [grad for parameter in self._parameters if (grad := parameter.grad) is not None],
            [self._means[place] for place in used],
            [self._squares[place] for place in used],
            [],
            [self._steps[place] for place in used],
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self.rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )

    def state(self) -> dict[str, Tensor]:
        """What ``restore`` takes back, by name."""
        kinds = {"mean": self._means, "square": self._squares, "step": self._steps}
        return {f"{kind}.{place}": value for kind, values in kinds.items() for place, value in enumerate(values)}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what ``state`` gave for the same network."""
        for name, value in self.state().items():
            value.copy_(state[name])


def _rows(parameters: Sequence[Tensor]) -> Sequence[Tensor]:
    """Rows that the parameters and their gradients become views of; shapes and memory layouts stay."""
    starts, length = [], 0
    for parameter in parameters:
        starts.append(length)
        length += -(-parameter.numel() // ALIGNED) * ALIGNED
    values, gradients = (torch.zeros(length, device=parameters[0].device) for _ in range(2))
    for parameter, start in zip(parameters, starts, strict=True):
        parts = [whole[start:].as_strided(parameter.shape, parameter.stride()) for whole in (values, gradients)]
        parameter.data, parameter.grad = parts[0].copy_(parameter.data), parts[1]
    rows: Sequence[Tensor] = values.split(ROW)
    for row, gradient in zip(rows, gradients.split(ROW), strict=True):
        row.grad = gradient
    return rows
