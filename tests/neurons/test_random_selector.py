"""Random rankings and sets of neurons."""

import numpy as np

from sklearn_neurox import RandomSelector, random_neurons


def test_random_state_determines_the_ranking(data):
    rankings = [
        RandomSelector(random_state=seed).fit(*data).ranking_.tolist() for seed in (0, 0, 1)
    ]
    assert rankings[0] == rankings[1] != rankings[2]


def test_random_neurons():
    drawn = random_neurons(10_000, 0.3, random_state=0)
    assert 2_800 < len(drawn) < 3_200
    assert (np.diff(drawn) > 0).all()
    assert random_neurons(10, 0).size == 0
    assert random_neurons(10, 1).tolist() == list(range(10))
