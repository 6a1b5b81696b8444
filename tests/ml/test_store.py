"""The model store: what is read is what was written, from a folder and from S3, or it is refused."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ml.features import MATCH, feature_matrix
from ml.store import ModelStore, ModelStoreError


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def store(request, tmp_path: Path, s3: str, monkeypatch) -> ModelStore:
    if request.param == "folder":
        return ModelStore(str(tmp_path / "models"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    from pyarrow import fs

    files = fs.S3FileSystem(endpoint_override=s3.removeprefix("http://"), scheme="http", allow_bucket_creation=True)
    files.create_dir("tutorq-models")
    return ModelStore("s3://tutorq-models/some/prefix", endpoint_url=s3)


@pytest.mark.slow
def test_a_model_comes_back_the_same(store, candidate, matches):
    address = store.save(candidate.model)
    assert address == f"match/{candidate.model.version}"
    assert store.save(candidate.model) == address
    read = store.load(address)
    rows = feature_matrix(MATCH.names, matches.head(200))
    assert np.array_equal(read.predict(rows), candidate.model.predict(rows))
    assert np.array_equal(read.contributions(rows), candidate.model.contributions(rows))
    for part in ("kind", "version", "source", "features", "fill", "calibration", "reference", "birth"):
        assert getattr(read, part) == getattr(candidate.model, part), part
    with pytest.raises(ModelStoreError, match=r"there is no match/none/certificate\.json"):
        store.load("match/none")


@pytest.mark.slow
def test_files_are_trees_and_a_certificate_and_nothing_else(tmp_path, candidate):
    address = ModelStore(str(tmp_path)).save(candidate.model)
    folder = tmp_path / address
    assert sorted(path.name for path in folder.iterdir()) == ["certificate.json", "model.ubj"]
    certificate = json.loads((folder / "certificate.json").read_text())
    assert certificate["features"] == list(MATCH.names)
    assert certificate["birth"]["trained_rows"] == candidate.trained_rows
    assert certificate["version"] == candidate.model.version


def test_damaged_and_half_written_models_are_refused(tmp_path, candidate):
    store = ModelStore(str(tmp_path))
    folder = tmp_path / store.save(candidate.model)
    address = f"match/{candidate.model.version}"
    whole = (folder / "model.ubj").read_bytes()
    (folder / "model.ubj").write_bytes(whole[:-100])
    with pytest.raises(ModelStoreError, match="are not those of its certificate"):
        store.load(address)
    (folder / "model.ubj").unlink()
    with pytest.raises(ModelStoreError, match=r"there is no .*model\.ubj"):
        store.load(address)
    (folder / "certificate.json").write_text('{"format": 99}')
    with pytest.raises(ModelStoreError, match="format 99"):
        store.load(address)
    (folder / "certificate.json").write_text("{")
    with pytest.raises(ModelStoreError, match="not JSON"):
        store.load(address)


def test_a_store_that_cannot_be_written_says_so(tmp_path, candidate):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelStoreError, match="cannot write"):
        ModelStore(str(tmp_path / "file")).save(candidate.model)
    with pytest.raises(ModelStoreError, match="neither a folder nor s3"):
        ModelStore("ftp://somewhere")
