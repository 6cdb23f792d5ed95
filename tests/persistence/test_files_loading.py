"""A bad file is an error that runs nothing."""

import pickle
import re
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import sklearn
import skops.io
import torch
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.preprocessing import StandardScaler

import sklearn_neurox as snx
from sklearn_neurox.persistence import _trusted

from .estimators import assert_same, assert_same_results, probe

pytestmark = [
    # A few epochs, which do not reach the mean of y, are enough for what is tested here.
    pytest.mark.filterwarnings("ignore:After the last epoch, the squared error"),
    # The estimators of test_common are set for the small data of scikit-learn's checks.
    pytest.mark.filterwarnings("ignore:WeightMassSelector:UserWarning"),
    pytest.mark.filterwarnings("ignore:CorrelationClustering:UserWarning"),
]


class TestVersions:
    def test_are_in_the_file(self, fitted, path):
        snx.save(fitted, path)
        with zipfile.ZipFile(path) as archive:
            text = archive.read("sklearn_neurox.txt").decode()
        assert text.startswith(
            f"sklearn-neurox {snx.__version__}, scikit-learn {sklearn.__version__}, "
        )
        for module in (np, torch, skops):
            assert f", {module.__name__} {module.__version__.split('+')[0]}" in text

    def test_another_version_of_this_package_warns(self, classification, fitted, path, monkeypatch):
        monkeypatch.setattr(snx, "__version__", "0.0.7")
        snx.save(fitted, path)
        monkeypatch.undo()
        with pytest.warns(
            UserWarning, match=r"written with sklearn-neurox 0\.0\.7, .*installed"
        ) as caught:
            loaded = snx.load(path)
        assert [warning.filename for warning in caught] == [__file__]
        assert_same_results(fitted, loaded, classification[0])

    def test_another_version_of_scikit_learn_warns(self, path, monkeypatch):
        monkeypatch.setattr("sklearn.base.__version__", "1.0")
        snx.save(StandardScaler(), path)
        monkeypatch.undo()
        with pytest.warns(InconsistentVersionWarning, match=r"StandardScaler from version 1\.0"):
            snx.load(path)

    def test_are_in_an_error(self, rewritten, path):
        rewritten(lambda schema: schema.update(__class__="LinearProbeOfTheFuture"))
        with pytest.raises(
            ValueError, match=r"LinearProbeOfTheFuture.*written with sklearn-neurox 0"
        ):
            snx.load(path)


class TestBadFiles:
    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="nothing_here"):
            snx.load(tmp_path / "nothing_here")
        with pytest.raises(IsADirectoryError):
            snx.load(tmp_path)

    @pytest.mark.parametrize(
        "content",
        [b"", b"a text\n" * 100, b"{}", bytes(100), pickle.dumps(list(range(99)))],
        ids=["empty", "text", "json", "zeros", "pickle"],
    )
    def test_foreign(self, path, content):
        path.write_bytes(content)
        match = rf"Cannot load {re.escape(str(path))}: it was not written by save, or it is damaged"
        with pytest.raises(ValueError, match=match):
            snx.load(path)

    def test_other_files_of_skops(self, fitted, path):
        skops.io.dump(fitted, path)
        with pytest.raises(ValueError, match="it was not written by save"):
            snx.load(path)

    def test_not_an_estimator(self, rewritten, path):
        rewritten(lambda schema: schema["content"] | {"protocol": schema["protocol"]})
        with pytest.raises(ValueError, match="it contains a dict, not an estimator"):
            snx.load(path)

    def test_nested_deeply(self, rewritten, path):
        start = (
            '{"protocol": 2, "__class__": "list", "__module__": "builtins", '
            '"__loader__": "ListNode", "content": ['
        )
        for depth in (500, 100_000):
            rewritten(lambda schema, n=depth: start * n + "]}" * n)
            with pytest.raises(ValueError, match=r"recursion|Stack overflow"):
                snx.load(path)

    def test_truncated(self, fitted, path):
        snx.save(fitted, path)
        content = path.read_bytes()
        for size in range(0, len(content), 37):
            path.write_bytes(content[:size])
            with pytest.raises(ValueError, match="Cannot load"):
                snx.load(path)

    @pytest.mark.filterwarnings(
        "ignore:.* may not work or may return different results:UserWarning"
    )
    def test_flipped_bits(self, path):
        """Each member of a zip file has a checksum, but the headers do not have one."""
        X = np.random.RandomState(0).normal(size=(20, 3))
        fitted = probe().fit(X, np.array(["a", "b"])[np.arange(20) % 2])
        snx.save(fitted, path)
        content = path.read_bytes()
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            start = archive.start_dir
        headers = {i for info in infos for i in range(info.header_offset, info.header_offset + 60)}
        places = sorted(headers | {*range(start, len(content))} | {*range(0, start, 29)})[::4]
        rng = np.random.RandomState(0)
        n_loaded = 0
        for place in places:
            changed = bytearray(content)
            changed[place] ^= 1 << rng.randint(8)
            path.write_bytes(changed)
            try:
                loaded = snx.load(path)
            except ValueError:
                continue
            n_loaded += 1
            assert_same(loaded, fitted)
        assert 0 < n_loaded < len(places) / 2  # a bit of a date, for example


class TestNothingRuns:
    @pytest.fixture
    def marker(self, tmp_path):
        yield tmp_path / "it_ran"
        assert not (tmp_path / "it_ran").exists()

    @pytest.fixture
    def payload(self, marker):
        """A pickle that creates a file when it is loaded."""

        class Payload:
            def __reduce__(self):
                return exec, (f"open({str(marker)!r}, 'w').close()",)

        content = pickle.dumps(Payload())
        pickle.loads(content)
        assert marker.exists()  # the trap works
        marker.unlink()
        return content

    def test_a_pickle(self, path, payload):
        path.write_bytes(payload)
        with pytest.raises(ValueError, match="Cannot load"):
            snx.load(path)

    def test_a_pickle_in_a_zip(self, tmp_path, payload):
        folder = tmp_path / "archive"
        folder.mkdir()
        (folder / "data.pkl").write_bytes(payload)
        path = Path(shutil.make_archive(tmp_path / "model", "zip", folder))
        with pytest.raises(ValueError, match="Cannot load"):
            snx.load(path)

    def test_a_pickle_in_an_array(self, classification, fitted, path, payload):
        """NumPy's own format can hold one."""
        snx.save(fitted, path)
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                header = b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
                if name.endswith(".npy"):
                    content = header.ljust(127) + b"\n" + payload
                archive.writestr(name, content)
        with pytest.raises(ValueError, match="npy is not an array of numbers, strings or dates"):
            snx.load(path)

    @pytest.mark.parametrize(
        "node",
        [
            {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode"},
            {"__class__": "system", "__module__": "posix", "__loader__": "TypeNode"},
            {"__class__": "eval", "__module__": "builtins", "__loader__": "ConstructorFromReduceNode",
             "content": {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode", "content": []}},
            {"__class__": "Popen", "__module__": "subprocess", "__loader__": "ObjectNode"},
            {"__class__": "_Loaded", "__module__": "sklearn_neurox.extraction._pickling", "__loader__": "ObjectNode"},
            {"__class__": "s", "__module__": "this", "__loader__": "TypeNode"},
        ],
        ids=lambda node: node["__class__"],
    )  # fmt: skip
    def test_other_types(self, rewritten, path, node, monkeypatch):
        monkeypatch.delitem(sys.modules, "this", raising=False)
        rewritten(lambda schema: schema["content"]["content"].update(trap_=node))
        name = re.escape(f"{node['__module__']}.{node['__class__']}")
        match = rf"types that are not trusted: {name}\. If you know who wrote the file and expect these types, use skops\.io\.load\(path, trusted=\['{name}'\]\)"
        with pytest.raises(ValueError, match=match):
            snx.load(path)
        assert "this" not in sys.modules  # not even an import

    def test_no_trusted_type_unpickles_or_runs_text(self):
        names = set(_trusted.TRUSTED)
        assert not [name for name in names if "_pickling" in name or "_distn" in name]
        assert not [name for name in names if name.startswith(("builtins", "os", "posix", "io"))]
        roots = {name.partition(".")[0] for name in names}
        assert roots == {"sklearn_neurox", "sklearn", "torch", "numpy", "pathlib"}
