import json
import zipfile

import pytest

import sklearn_neurox as snx

from .estimators import probe


@pytest.fixture
def path(tmp_path):
    return tmp_path / "estimator.skops"


@pytest.fixture
def round_trip(path):
    def run(estimator):
        snx.save(estimator, path)
        return snx.load(path)

    return run


@pytest.fixture(scope="module")
def fitted(classification):
    return probe().fit(*classification)


@pytest.fixture
def rewritten(fitted, path):
    """Write a file of a probe whose description in JSON was changed."""

    def run(change):
        snx.save(fitted, path)
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        schema = json.loads(members["schema.json"])
        changed = change(schema) or schema
        members["schema.json"] = changed if isinstance(changed, str) else json.dumps(changed)
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)

    return run
