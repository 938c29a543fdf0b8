"""Towers of families that put a projector behind a shared encoder (vLLM 0.32 model_executor/models)."""

from generator.models.architecture import Tower
from generator.models.matrix import Matrix
from generator.sources.architectures.fields import Config, integer
from generator.sources.architectures.towers import clip_encoder, encoder_of, linear, plain, siglip_encoder

_CLIP_L = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "image_size": 336, "patch_size": 14}
"""CLIP ViT-L/14 at 336 pixels, which Molmo's and Phi-3-vision's classes fix."""


def _feature_layers(config: Config, default: int) -> tuple[int, ...]:
    named = config.get("vision_feature_layer")
    if isinstance(named, list):
        return tuple(map(int, named))
    return (default if named is None else int(named),)


def _depth(config: Config, vision: Config, default: int) -> int:
    """Blocks that the class keeps: up to the last layer whose output it takes (vision.py, llava.py:447)."""
    count = integer(vision, "num_hidden_layers", default=24)
    return max(count + layer + 1 if layer < 0 else layer for layer in _feature_layers(config, default))


def llava_tower(config: Config, vision: Config, text: Config) -> Tower:
    """LLaVA, Pixtral in its layout and LLaVA-NeXT: two split matrices (llava.py, llava_next.py)."""
    encoder = encoder_of(vision, _depth(config, vision, -2), post_norm=False)
    out, bias = integer(text, "hidden_size"), bool(config.get("multimodal_projector_bias", True))
    width = encoder.width * len(_feature_layers(config, -2))
    return encoder.tower(
        "vision_tower",
        linear("multi_modal_projector.linear_1", out, width, "column", bias=bias),
        linear("multi_modal_projector.linear_2", out, out, "row", bias=bias),
    )  # fmt: skip


def llava_video_tower(config: Config, vision: Config, text: Config) -> Tower:
    """LLaVA-NeXT-Video and LLaVA-OneVision: the projector is whole on every rank (llava_onevision.py)."""
    last = -1 if config.get("model_type") == "llava_onevision" else -2
    encoder = encoder_of(vision, _depth(config, vision, last), post_norm=False)
    out, bias = integer(text, "hidden_size"), bool(config.get("multimodal_projector_bias", True))
    return encoder.tower(
        "vision_tower",
        plain("multi_modal_projector.linear_1", out, encoder.width, bias=bias),
        plain("multi_modal_projector.linear_2", out, out, bias=bias),
    )  # fmt: skip


def bee_tower(config: Config, vision: Config, text: Config) -> Tower:
    """Bee: LLaVA-OneVision with a norm and a wider projector (bee.py)."""
    encoder, out = encoder_of(vision, _depth(config, vision, -1), post_norm=False), integer(text, "hidden_size")
    return encoder.tower(
        "vision_tower",
        plain("multi_modal_projector.pre_norm", encoder.width, bias=True),
        plain("multi_modal_projector.linear_1", 4 * out, encoder.width, bias=True),
        plain("multi_modal_projector.linear_2", out, 4 * out, bias=True),
    )  # fmt: skip


def mistral3_tower(config: Config, vision: Config, text: Config) -> Tower:
    """Mistral 3 and LightOnOCR: patches merged, a norm, two split matrices (mistral3.py)."""
    encoder = encoder_of({"model_type": "pixtral", **vision})
    out, bias = integer(text, "hidden_size"), bool(config.get("multimodal_projector_bias", False))
    merge = integer({**vision, **config}, "spatial_merge_size", default=2) ** 2
    return encoder.tower(
        "vision_tower",
        plain("multi_modal_projector.norm", encoder.width),
        plain("multi_modal_projector.patch_merger", encoder.width, merge * encoder.width),
        linear("multi_modal_projector.linear_1", out, encoder.width, "column", bias=bias),
        linear("multi_modal_projector.linear_2", out, out, "row", bias=bias),
    )  # fmt: skip


def idefics3_tower(config: Config, vision: Config, text: Config) -> Tower:
    """Idefics 3 and SmolVLM: shuffled patches through one whole matrix (idefics3.py)."""
    encoder, factor = siglip_encoder(vision), integer(config, "scale_factor", default=2)
    projection = plain("connector.modality_projection", integer(text, "hidden_size"), encoder.width * factor**2)
    return encoder.tower("model.vision_model", projection)


def paligemma_tower(config: Config, vision: Config, text: Config) -> Tower:
    """PaliGemma: SigLIP and one whole matrix (paligemma.py)."""
    encoder = siglip_encoder(vision)
    out = integer({**text, **vision}, "projection_dim", "hidden_size", default=integer(text, "hidden_size"))
    out = integer(config, "projection_dim", default=out)
    return encoder.tower("vision_tower", plain("multi_modal_projector.linear", out, encoder.width, bias=True))


def cohere2_tower(config: Config, vision: Config, text: Config) -> Tower:
    """Command A Vision: shuffled patches through a gated network (cohere2_vision.py)."""
    encoder, out = siglip_encoder(vision), integer(text, "hidden_size")
    inner = integer(config, "alignment_intermediate_size", default=36864)
    merged = encoder.width * integer(config, "downsample_factor", default=2) ** 2
    return encoder.tower(
        "vision_tower",
        linear("multi_modal_projector.linear_1", inner, merged, "column"),
        linear("multi_modal_projector.linear_2", out, inner // 2, "row"),
    )  # fmt: skip


def minicpm_tower(config: Config, vision: Config, text: Config) -> Tower:
    """MiniCPM-V and -o: a resampler whose queries attend to the patches (minicpmv.py)."""
    dropped = int(bool(config.get("drop_vision_last_layer", True)))
    encoder, out = siglip_encoder(vision, integer(vision, "num_hidden_layers") - dropped), integer(text, "hidden_size")
    return encoder.tower(
        "vpm",
        plain("resampler.query", integer(config, "query_num", default=64), out),
        plain("resampler.proj", out, out),
        plain("resampler.kv_proj", out, encoder.width),
        plain("resampler.attn.in_proj", 3 * out, out, bias=True),
        plain("resampler.attn.out_proj", out, out, bias=True),
        plain("resampler.norms", out, bias=True, copies=3),
    )  # fmt: skip


def minicpm4_tower(_config: Config, vision: Config, text: Config) -> Tower:
    """MiniCPM-V 4.6: a merger inside the encoder and one behind it (minicpmv4_6.py)."""
    encoder, out = siglip_encoder(vision), integer(text, "hidden_size")
    hidden = encoder.width
    merged = 4 * hidden
    return encoder.tower(
        "vpm",
        linear("vit_merger.self_attn.qkv_proj", 3 * hidden, hidden, "column"),
        linear("vit_merger.self_attn.out_proj", hidden, hidden, "row"),
        plain("vit_merger.layer_norm1", hidden, bias=True),
        plain("vit_merger.linear_1", 4 * merged, merged, bias=True),
        plain("vit_merger.linear_2", hidden, 4 * merged, bias=True),
        plain("pre_norms", merged, bias=True, copies=2),
        plain("merger.mlp.0.linear_1", merged, merged, bias=True),
        plain("merger.mlp.0.linear_2", out, merged, bias=True),
    )  # fmt: skip


def keye_tower(config: Config, vision: Config, text: Config) -> Tower:
    """Keye and PaddleOCR-VL: SigLIP of any resolution, merged patches (keye.py, paddleocr_vl.py)."""
    keye = str(config.get("model_type")).lower().startswith("keye")
    encoder, out = siglip_encoder(vision), integer(text, "hidden_size")
    merged = encoder.width * integer(vision, "spatial_merge_size", default=2) ** 2
    packed = (plain("embeddings.packing_position_embedding", 32768, encoder.width),) if keye else ()
    return encoder.tower(
        "visual.vision_model", *packed,
        plain("mlp_AR.pre_norm", encoder.width, bias=True),
        linear("mlp_AR.linear_1", merged, merged, "column" if keye else "replicated"),
        linear("mlp_AR.linear_2", out, merged, "row" if keye else "replicated"),
    )  # fmt: skip


def phi3_tower(_config: Config, _vision: Config, text: Config) -> Tower:
    """Phi-3-vision: CLIP, a second embedding table beside the decoder's own (phi3v.py)."""
    encoder, out = clip_encoder(_CLIP_L, 23, post_norm=False), integer(text, "hidden_size")
    merged = 4 * encoder.width
    table = Matrix(
        name="embed_tokens", rows=integer(text, "vocab_size"), columns=out, shard="vocab", part="vision", linear=False
    )
    return encoder.tower(
        "vision_embed_tokens", table,
        plain("separators", merged, copies=2),
        plain("img_projection.0", out, merged, bias=True),
        plain("img_projection.2", out, out, bias=True),
    )  # fmt: skip


def molmo_tower(_config: Config, _vision: Config, text: Config) -> Tower:
    """Molmo: CLIP, two layers' outputs pooled by attention, a gated projector (molmo.py)."""
    encoder, out = clip_encoder(_CLIP_L, 23, post_norm=False), integer(text, "hidden_size")
    hidden, inner = encoder.width, integer(text, "intermediate_size")
    return encoder.tower(
        "vision_backbone",
        plain("pad_embed", 2, 2 * hidden),
        linear("image_pooling_2d.wqkv", 3 * hidden, 2 * hidden, "column"),
        linear("image_pooling_2d.wo", hidden, hidden, "row"),
        linear("image_projector.gate_up", 2 * inner, hidden, "column", bias=False),
        linear("image_projector.down_proj", out, inner, "row", bias=False),
    )  # fmt: skip


def molmo2_tower(config: Config, vision: Config, text: Config) -> Tower:
    """Molmo 2: SigLIP, two layers' outputs pooled by attention, a gated projector (molmo2.py)."""
    adapter = config.get("adapter_config") or {}
    count = integer(vision, "num_hidden_layers", default=27)
    kept = [count + layer + 1 if layer < 0 else layer + 1 for layer in adapter.get("vit_layers") or (-3, -9)]
    shape = {
        **vision,
        "image_size": integer(vision, "image_default_input_size", default=378),
        "patch_size": integer(vision, "image_patch_size", default=14),
    }
    encoder, out = siglip_encoder(shape, max(kept), post_norm=False), integer(text, "hidden_size")
    hidden, inner = encoder.width, integer(adapter, "intermediate_size", default=18944)
    return encoder.tower(
        "vision_backbone",
        linear("image_pooling_2d.qkv", 3 * hidden, len(kept) * hidden, "column"),
        linear("image_pooling_2d.o_proj", hidden, hidden, "row"),
        linear("image_projector.gate_up", 2 * inner, hidden, "column", bias=False),
        linear("image_projector.down_proj", out, inner, "row", bias=False),
    )  # fmt: skip
