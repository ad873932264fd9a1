"""``asd.transfer``: what the order of systems on one board is worth on another."""

from pathlib import Path

from asdbench.leaderboard.transfer import Transfer
from asdbench.protocols.resampling import REPLICATES


def transfer(
    *boards: str | Path, board_dir: str | Path = "leaderboards", replicates: int = REPLICATES
) -> list[Transfer]:
    """Whether the order of systems on one board is their order on another, by the systems that both have.

    Args:
        boards: names of boards, or tables of scores: "FILE.csv" (its columns dev_... and eval_...), "FILE.csv:COLUMN".
        board_dir: holds results/ and references/.
        replicates: resampled test sets, by which pairs of systems are significantly apart.

    Returns:
        One for each pair of boards that share three systems: ``spearman`` and ``kendall`` (value, ci95), ``on_second``
        and ``on_first`` (what choosing by the other costs), ``agreement``, ``verdict``.

    Raises:
        UsageError: no such board or column, or no two of them share three systems.
        DataError: a table cannot be read.

    Examples:
        >>> import asdbench as asd
        >>> asd.transfer("synthetic", "slider-2023")[0].spearman.value < 0.5  # doctest: +SKIP
        True
    """
    from asdbench.leaderboard.transfer import require_transfers
    from asdbench.leaderboard.transfer_sides import named_sides

    return require_transfers(named_sides([str(board) for board in boards], Path(board_dir).expanduser(), replicates))
