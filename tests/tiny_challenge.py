"""A tiny challenge of two machine types, and its audit."""

from asdbench.core.progress import Silent
from asdbench.datasets.audit import verify
from asdbench.datasets.challenge import inventory_of_challenge
from asdbench.registry.challenge_card import ChallengeCard

RATE = 16000


def make_card(**own):
    """Two machine types of 4 + 2 training and 2 + 2 + 2 + 2 test clips."""
    split = {
        "sections": ["00"],
        "labelled": True,
        "zips": ["https://example.org/files/dev_{machine}.zip"],
        "counts": {
            "train": {"source": 4, "target": 2},
            "test": dict.fromkeys(("source_normal", "source_anomaly", "target_normal", "target_anomaly"), 2),
        },
        "clip_s": [0.5, 0.5],
        "machines": {"fan": {}, "pump": {}},
    }
    card = {
        "summary": "Tiny.", "description": "Tiny.", "year": 2023, "protocol": "dcase2023", "layout": "dcase2023",
        "licence": "none", "sample_rate_hz": RATE, "channels": 1, "splits": {"dev": {**split, **own}},
        "problems": {
            "general": "Something.", "later": "The evaluation data are odd.", "now": "Development data are odd.",
        },
    }  # fmt: skip
    return ChallengeCard.model_validate(card)


def audit(root, card=None, **options):
    return verify(inventory_of_challenge("tiny", card or make_card(), "dev", root), 2, Silent(), **options)


def only(found, level="error"):
    assert [one.level for one in found.findings] == [level], found.findings
    return found.findings[0]
