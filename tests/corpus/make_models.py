"""Writes models of the right shape with random weights, as pyannote publishes its own. Runs in pyannote's environment.

`python make_models.py FOLDER`: a folder a repository.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy
import torch
from omegaconf.listconfig import ListConfig
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.embedding import WeSpeakerResNet34
from pyannote.audio.models.segmentation import PyanNet

FOLDER = Path(sys.argv[1])
PIPELINE_31 = """version: 3.1.0
pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params:
    clustering: AgglomerativeClustering
    embedding: pyannote/wespeaker-voxceleb-resnet34-LM
    embedding_batch_size: 32
    embedding_exclude_overlap: true
    segmentation: pyannote/segmentation-3.0
    segmentation_batch_size: 32
params:
  clustering:
    method: centroid
    min_cluster_size: 12
    threshold: 0.7045654963945799
  segmentation:
    min_duration_off: 0.0
"""
COMMUNITY = """dependencies:
  pyannote.audio: 4.0.0
pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params:
    clustering: VBxClustering
    segmentation: $model/segmentation
    segmentation_batch_size: 32
    embedding: $model/embedding
    embedding_batch_size: 32
    embedding_exclude_overlap: true
    plda: $model/plda
params:
  clustering:
    threshold: 0.6
    Fa: 0.07
    Fb: 0.8
  segmentation:
    min_duration_off: 0.0
"""


def checkpoint(model: Any, specifications: Specifications, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = dict(model.hparams)
    if "ListConfig" in path.name:
        settings["bins"] = ListConfig([1, 2])
    content = {
        "epoch": 1, "global_step": 1, "pytorch-lightning_version": "1.6.5",
        "state_dict": model.state_dict(),
        "hyper_parameters": settings,
        "hparams_name": "kwargs",
        "pyannote.audio": {
            "versions": {"torch": "1.7.1", "pyannote.audio": "0.0.1"},
            "architecture": {"module": type(model).__module__, "class": type(model).__name__},
            "specifications": specifications,
        },
    }  # fmt: skip
    torch.save(content, path)


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


torch.manual_seed(1)
speakers = Specifications(
    problem=Problem.MONO_LABEL_CLASSIFICATION, resolution=Resolution.FRAME, duration=10.0, min_duration=None, warm_up=(0.0, 0.0),
    classes=["speaker#1", "speaker#2", "speaker#3"], powerset_max_classes=2, permutation_invariant=True,
)  # fmt: skip
voices = Specifications(
    problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0, min_duration=2.0, classes=["a", "b"],
)  # fmt: skip
segmentation = PyanNet(sincnet={"stride": 10})
segmentation.specifications = speakers
segmentation.build()
embedding = WeSpeakerResNet34()
embedding.specifications = voices
embedding.build()
for where in ("pyannote/segmentation-3.0", "pyannote/speaker-diarization-community-1/segmentation"):
    checkpoint(segmentation, speakers, FOLDER / where / "pytorch_model.bin")
for where in ("pyannote/wespeaker-voxceleb-resnet34-LM", "pyannote/speaker-diarization-community-1/embedding"):
    checkpoint(embedding, voices, FOLDER / where / "pytorch_model.bin")
checkpoint(segmentation, speakers, FOLDER / "pyannote/segmentation-3.0/ListConfig.bin")
text(FOLDER / "pyannote/speaker-diarization-3.1/config.yaml", PIPELINE_31)
text(FOLDER / "pyannote/speaker-diarization-community-1/config.yaml", COMMUNITY)
for name in ("segmentation-3.0", "wespeaker-voxceleb-resnet34-LM"):
    text(FOLDER / f"pyannote/{name}/config.yaml", "model:\n  _target_: pyannote.audio.Model\n")
random = numpy.random.default_rng(1)
plda = FOLDER / "pyannote/speaker-diarization-community-1/plda"
plda.mkdir(exist_ok=True)
basis = numpy.linalg.qr(random.normal(size=(128, 128)))[0]
means = {"mean1": random.normal(size=256), "mean2": random.normal(size=128)}
numpy.savez(plda / "xvec_transform.npz", **means, lda=random.normal(size=(256, 128)))
numpy.savez(plda / "plda.npz", mu=random.normal(size=128), tr=basis, psi=numpy.linspace(1, 0.01, 128))
