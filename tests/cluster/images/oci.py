"""Writes a container image as an OCI archive, without a container engine.

usage: oci.py OUT.tar CONFIG.json NAME[,NAME...] LAYER...

CONFIG.json is the image configuration's "config" object (Env, Entrypoint, User, ...).
A LAYER is a tar file, or SHA256:SIZE of one that an image imported earlier brought along:
it is named in the image and left out of the archive, so a large common layer is imported once.
"""

import hashlib
import io
import json
import os
import re
import sys
import tarfile


def file_digest(path):
    # hashlib.file_digest would do, but only from Python 3.11 on.
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        while chunk := f.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def descriptor(media_type, digest, size):
    return {"mediaType": f"application/vnd.oci.image.{media_type}", "digest": f"sha256:{digest}", "size": size}


def main(out, config_path, names, *layer_arguments):
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    with open(config_path) as f:
        config = json.load(f)

    with tarfile.open(out, "w") as archive:

        def add(name, data):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))

        def add_blob(document):
            data = json.dumps(document).encode()
            digest = hashlib.sha256(data).hexdigest()
            add(f"blobs/sha256/{digest}", data)
            return digest, len(data)

        add("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        layers = []
        for argument in layer_arguments:
            if known := re.fullmatch(r"([0-9a-f]{64}):(\d+)", argument):
                digest, size = known[1], int(known[2])
            else:
                digest, size = file_digest(argument), os.path.getsize(argument)
                archive.add(argument, f"blobs/sha256/{digest}")
            layers.append(descriptor("layer.v1.tar", digest, size))
        image = {
            "architecture": machine,
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor("config.v1+json", *add_blob(image)),
            "layers": layers,
        }
        entry = descriptor("manifest.v1+json", *add_blob(manifest))
        index = {
            "schemaVersion": 2,
            "manifests": [{**entry, "annotations": {"io.containerd.image.name": n}} for n in names.split(",")],
        }
        add("index.json", json.dumps(index).encode())


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
