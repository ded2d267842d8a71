"""Segmentation models of transformers: a photograph -> probabilities of classes, and segments.

Semantic models have a score per class and pixel. MaskFormer and Mask2Former have queries, each with a mask
and probabilities of classes (Cheng et al. 2021, "Per-Pixel Classification is Not All You Need", Sec. 3.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gpnerf.system.errors import CheckpointError, ConfigError
from gpnerf.system.hub import hub_folder
from gpnerf.system.wording import some

# Universal models that share inputs, outputs and post-processing.
QUERY_MODELS = ("maskformer", "mask2former")
FILES = ("config.json", "preprocessor_config.json", "*.safetensors")
# Of the hub; the weights of large models are several files with an index.
DOWNLOADED = ("*.json", "*.safetensors")
# Code that comes with a model is never run, weights are read from a format that holds none, and nothing is
# asked of the hub while a folder is read.
SAFE = {"trust_remote_code": False, "local_files_only": True}


@dataclass(frozen=True)
class Segmentation:
    """A photograph of H x W pixels as a model with K classes sees it.

    probabilities: [K, h, w] in the model's own resolution, at most 1 in sum; segments: int64 [H, W], number
    of a segment, 0 for none, or None if they were not asked for.
    """

    probabilities: Tensor
    segments: Tensor | None = None


class Segmenter:
    """A model that segments photographs.

    names: of its K classes; finds_segments: whether it tells objects apart.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self.model, self.processor = model, processor
        self.names = tuple(name for _, name in sorted(model.config.id2label.items()))
        self.finds_segments = model.config.model_type in QUERY_MODELS

    @torch.inference_mode()
    def __call__(self, image: np.ndarray, with_segments: bool = False) -> Segmentation:
        """Segments a photograph, uint8 [H, W, 3]; its probabilities are means with its mirror image."""
        outputs = self._outputs(image)
        mirrored = self._outputs(np.ascontiguousarray(image[:, ::-1]))
        mean = (class_probabilities(outputs) + class_probabilities(mirrored).flip(-1)) / 2
        return Segmentation(mean, self._segments(outputs, image.shape[:2]) if with_segments else None)

    def _outputs(self, image: np.ndarray) -> Any:
        inputs = self.processor(images=image, return_tensors="pt", input_data_format="channels_last")
        return self.model(pixel_values=inputs["pixel_values"].to(self.model.device))

    def _segments(self, outputs: Any, size: tuple[int, int]) -> Tensor:
        (found,) = self.processor.post_process_panoptic_segmentation(
            outputs, label_ids_to_fuse=set(), target_sizes=[size]
        )
        numbers = torch.zeros(size, dtype=torch.int64)
        for number, segment in enumerate(found["segments_info"], 1):
            numbers[found["segmentation"].cpu() == segment["id"]] = number
        return numbers


def class_probabilities(outputs: Any) -> Tensor:
    """Probabilities [K, h, w] of the classes, from the outputs of a model for one photograph.

    Of a model with queries: the sum over queries of mask times class. Where its sum over the classes is above
    1, it is divided by that; where it is below, the rest is the probability of no class.
    """
    if hasattr(outputs, "logits"):
        return outputs.logits[0].float().softmax(dim=0)
    classes = outputs.class_queries_logits[0].float().softmax(dim=-1)[:, :-1]
    masks = outputs.masks_queries_logits[0].float().sigmoid()
    scores = torch.einsum("qk,qhw->khw", classes, masks)
    return scores / scores.sum(dim=0).clamp(min=1.0)


def load_segmenter(reference: str, device: torch.device) -> Segmenter:
    """Loads a model from a folder, or by its name OWNER/NAME on the Hugging Face hub.

    Raises ConfigError without the package transformers, and CheckpointError if there is no such model, if it
    does not segment photographs, or if weights are missing.
    """
    transformers = _transformers()
    folder = _folder(reference)
    try:
        config = transformers.AutoConfig.from_pretrained(folder, **SAFE)
        kind = _kind(transformers, config, reference)
        processor = transformers.AutoImageProcessor.from_pretrained(folder, **SAFE)
        model, loaded = kind.from_pretrained(
            folder, config=config, use_safetensors=True, output_loading_info=True, **SAFE
        )
    except CheckpointError:
        raise
    except Exception as error:  # Damaged files end in errors of many kinds.
        raise CheckpointError(
            f"--model {reference}: expected a model that transformers {transformers.__version__} can read, "
            f"found one that it cannot ({type(error).__name__}); save it again with `save_pretrained`."
        ) from error
    _check_weights(reference, loaded["missing_keys"])
    # A crop would move the labels against the photograph.
    processor.do_center_crop = False
    return Segmenter(model.to(device).eval(), processor)


def _transformers() -> ModuleType:
    try:
        import transformers
    except ImportError as error:
        raise ConfigError(
            "Labelling photographs needs the package transformers, which is not installed; run "
            '`pip install -e ".[labels]"`.'
        ) from error
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers


def _folder(reference: str) -> Path:
    """The folder of a model. Raises CheckpointError if there is none, or if it lacks one of FILES."""
    folder = Path(reference)
    if not folder.is_dir():
        folder = hub_folder(reference, DOWNLOADED, said=f"--model {reference}")
    missing = [name for name in FILES if not any(folder.glob(name))]
    if missing:
        raise CheckpointError(
            f"--model {folder}: expected {', '.join(FILES)}, found no {' and no '.join(missing)}; save model "
            "and image processor there with `save_pretrained`, which writes these files."
        )
    return folder


def _kind(transformers: ModuleType, config: Any, reference: str) -> Any:
    """The class of transformers that loads a model with this configuration."""
    if config.model_type in QUERY_MODELS:
        return transformers.AutoModelForUniversalSegmentation
    if type(config) in transformers.MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING:
        return transformers.AutoModelForSemanticSegmentation
    raise CheckpointError(
        f"--model {reference}: expected a semantic segmentation model or one of {', '.join(QUERY_MODELS)}, "
        f"found {config.model_type}; choose another model."
    )


def _check_weights(reference: str, missing: set[str]) -> None:
    """Raises CheckpointError for weights that transformers would draw at random."""
    if missing:
        raise CheckpointError(
            f"--model {reference}: expected all weights of a segmentation model, found {len(missing)} "
            f"missing ({some(sorted(missing), 3)}); choose one that was trained to segment photographs."
        )
