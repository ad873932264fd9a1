import pytest
from made_scores import make_names_plain, write_scores, write_truth


@pytest.fixture
def scores(tmp_path):
    """A folder of score and decision files of two machine types."""
    return write_scores(tmp_path)


@pytest.fixture
def truth(tmp_path_factory):
    """The folder of their ground truth."""
    return write_truth(tmp_path_factory.mktemp("truth"))


@pytest.fixture
def plain(scores):
    """The score files with names that tell neither label nor domain."""
    make_names_plain(scores)
    return scores
