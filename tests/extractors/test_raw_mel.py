import numpy as np

import asdbench
from asdbench.extractors.raw_mel import POOLINGS


def test_poolings_are_what_their_names_say(table, make_context):
    clips, context = table.blind_view(), make_context(training=False)
    values = np.stack([context.features[clip.key][0] for clip in clips]).astype(np.float64)
    by_numpy = {
        "mean": values.mean(-1),
        "std": np.sqrt(((values - values.mean(-1, keepdims=True)) ** 2).mean(-1)),
        "min": np.sort(values, -1)[..., 0],
        "max": np.sort(values, -1)[..., -1],
        "median": np.quantile(values, 0.5, axis=-1),
        "p10": np.quantile(values, 0.1, axis=-1),
        "p90": np.quantile(values, 0.9, axis=-1),
        "delta": np.abs(values[..., 1:] - values[..., :-1]).mean(-1),
    }
    assert set(by_numpy) == set(POOLINGS)
    rows = asdbench.build("raw-mel", poolings=list(by_numpy)).embed(clips, context)
    assert rows.dtype == np.float32
    assert np.allclose(rows, np.concatenate(list(by_numpy.values()), axis=1), rtol=1e-4, atol=1e-3)
