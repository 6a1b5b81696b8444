"""The model store: a folder, or `s3://bucket/prefix`, with one folder per model.

    <store>/<kind>/<version>/model.ubj          the trees, in XGBoost's own format
    <store>/<kind>/<version>/certificate.json   the birth certificate: all else that the model is, and the file's hash

The certificate is written last, so what has one is complete. Neither file is ever code.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import TutorqError
from ml.calibrate import Calibration
from ml.drift import Reference
from ml.linear import Linear
from ml.model import BoostedModel

if TYPE_CHECKING:
    import xgboost

FORMAT = 2
TREES, CERTIFICATE = "model.ubj", "certificate.json"


class ModelStoreError(TutorqError):
    """A model cannot be written or read."""


class ModelLostError(ModelStoreError):
    """A model is not there, or is not what was written: trying again will not help. (A store that cannot be reached, or
    refuses, is a plain `ModelStoreError`.)"""


def model_bytes(booster: "xgboost.Booster") -> bytes:
    """The trees as XGBoost's UBJSON; the same trees give the same bytes."""
    return bytes(booster.save_raw(raw_format="ubj"))


def make_model(
    *,
    kind: str,
    features: tuple[str, ...],
    fill: Mapping[str, float],
    linear: Linear,
    booster: "xgboost.Booster",
    calibration: Calibration,
    reference: Reference,
    birth: Mapping[str, Any],
) -> BoostedModel:
    """A model of these parts. Its version is made of its content, which holds no clock time and no place: the same
    data, seed and code give the same version. `birth` must have the day `data_to`."""
    parts = BoostedModel(kind, features, fill, linear, booster, calibration, reference, birth, version="")
    digest = hashlib.sha256(_json(_certificate(parts, model_bytes(booster)))).hexdigest()
    return replace(parts, version=f"{kind}-{birth['data_to']}-{digest[:12]}")


def _certificate(model: BoostedModel, trees: bytes) -> dict[str, Any]:
    """All that a model is besides its trees, of which it has the hash."""
    return {
        "format": FORMAT,
        "kind": model.kind,
        "version": model.version,
        "features": list(model.features),
        "fill": dict(model.fill),
        "model_sha256": hashlib.sha256(trees).hexdigest(),
        "linear": model.linear.to_dict(),
        "calibration": model.calibration.to_dict(),
        "reference": model.reference.to_dict(),
        "birth": dict(model.birth),
    }


def _model_from(stored: Mapping[str, Any], trees: bytes) -> BoostedModel:
    import xgboost

    booster = xgboost.Booster()
    booster.load_model(bytearray(trees))
    return BoostedModel(
        kind=stored["kind"],
        features=tuple(stored["features"]),
        fill=dict(stored["fill"]),
        linear=Linear.from_dict(stored["linear"]),
        booster=booster,
        calibration=Calibration.from_dict(stored["calibration"]),
        reference=Reference.from_dict(stored["reference"]),
        birth=stored["birth"],
        version=stored["version"],
    )


class ModelStore:
    """Models by their address in the store. The address is relative to the store, so that a store can be moved."""

    def __init__(self, uri: str, *, endpoint_url: str | None = None) -> None:
        """`uri`: a folder or `s3://bucket/prefix`. `endpoint_url`: where another server speaks S3. Credentials and
        region are AWS's own variables, profiles and roles."""
        from pyarrow import fs

        self.uri = uri
        if uri.startswith("s3://"):
            plain = (endpoint_url or "").startswith("http://")
            self._files: fs.FileSystem = fs.S3FileSystem(
                endpoint_override=(endpoint_url or "").rpartition("://")[2] or None,
                scheme="http" if plain else "https",
            )
            self._root = uri.removeprefix("s3://").rstrip("/")
        elif "://" in uri:
            raise ModelStoreError(f"{uri} is neither a folder nor s3://bucket/prefix")
        else:
            self._files = fs.LocalFileSystem()
            self._root = Path(uri).expanduser().resolve().as_posix()

    def save(self, model: BoostedModel) -> str:
        """Write the model, unless it is there, and return its address."""
        trees = model_bytes(model.booster)
        address = f"{model.kind}/{model.version}"
        self._write(f"{address}/{TREES}", trees)
        self._write(f"{address}/{CERTIFICATE}", _json(_certificate(model, trees), indent=2))
        return address

    def load(self, address: str) -> BoostedModel:
        """The model at an address.

        Raises:
            ModelLostError: there is none, or its files are not as written.
            ModelStoreError: the store cannot be read.
        """
        try:
            stored = json.loads(self._read(f"{address}/{CERTIFICATE}"))
        except ValueError as error:
            raise ModelLostError(f"the certificate of {address} in {self.uri} is not JSON") from error
        if not isinstance(stored, dict) or stored.get("format") != FORMAT:
            found = stored.get("format") if isinstance(stored, dict) else None
            raise ModelLostError(f"{address} in {self.uri} has format {found}, not {FORMAT}")
        trees = self._read(f"{address}/{TREES}")
        if hashlib.sha256(trees).hexdigest() != stored.get("model_sha256"):
            raise ModelLostError(f"the trees of {address} in {self.uri} are not those of its certificate")
        try:
            return _model_from(stored, trees)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelLostError(f"the certificate of {address} in {self.uri} is not as it was written") from error

    def read_files(self, address: str) -> dict[str, bytes]:
        """The files at an address as they are, for a copy of the store. Raises ModelStoreError if one is not there."""
        return {name: self._read(f"{address}/{name}") for name in (TREES, CERTIFICATE)}

    def write_files(self, address: str, files: Mapping[str, bytes]) -> None:
        """Put back what `read_files` gave. The certificate is written last, as by `save`."""
        for name in (TREES, CERTIFICATE):
            self._write(f"{address}/{name}", files[name])

    def _write(self, path: str, content: bytes) -> None:
        from pyarrow import fs

        target = f"{self._root}/{path}"
        local = isinstance(self._files, fs.LocalFileSystem)
        # An object of S3 is there as a whole or not at all; a file needs the detour.
        name = f"{target}.{uuid.uuid4().hex}" if local else target
        try:
            if local:
                self._files.create_dir(target.rpartition("/")[0], recursive=True)
            with self._files.open_output_stream(name) as stream:
                stream.write(content)
            if local:
                self._files.move(name, target)
        except OSError as error:
            raise ModelStoreError(f"cannot write {path} to {self.uri}: {error}") from error

    def _read(self, path: str) -> bytes:
        try:
            with self._files.open_input_stream(f"{self._root}/{path}", compression=None) as stream:
                return bytes(stream.read())
        except FileNotFoundError as error:
            raise ModelLostError(f"there is no {path} in {self.uri}") from error
        except OSError as error:
            raise ModelStoreError(f"cannot read {path} from {self.uri}: {error}") from error


def _json(content: Mapping[str, Any], indent: int | None = None) -> bytes:
    return json.dumps(content, indent=indent, sort_keys=True, allow_nan=False).encode()
