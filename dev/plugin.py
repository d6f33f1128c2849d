"""What the benchmarks share: where the plugin of this checkout is."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def release_binary():
    """The plugin of this checkout, not one that is installed."""
    command = ["cargo", "metadata", "--locked", "--no-deps", "--format-version", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(command)} failed:\n{done.stderr}")
    binary = Path(json.loads(done.stdout)["target_directory"], "release", "kubectl-flink")
    if not binary.exists():
        sys.exit(f"bench: {binary} is missing: run cargo build --release --locked")
    return binary
