"""Towers with encoders of their own: DeepSeek-VL2 and -OCR, RADIO, Step3, LFM2-VL, Eagle, Muse (vLLM 0.32)."""

from generator.errors import UnsupportedArchitectureError
from generator.models.architecture import Tower
from generator.models.matrix import Matrix
from generator.sources.architectures.fields import Config, integer
from generator.sources.architectures.towers import block, clip_encoder, linear, patches, plain, siglip_encoder, tower_of

_RADIO = {"vit_base": (768, 12, 3072), "vit_large": (1024, 24, 4096), "vit_huge": (1280, 32, 5120)}
"""Width, blocks and inner width of the vision transformers that RADIO is trained on (radio.py)."""


def _names(name: str) -> tuple[str, str, tuple[str, ...], str]:
    return f"{name}.attn.qkv", f"{name}.attn.proj", (f"{name}.mlp.fc1",), f"{name}.mlp.fc2"


def _projection(name: str, out: int, width: int) -> tuple[Matrix, Matrix]:
    return plain(f"{name}.0", out, width, bias=True), plain(f"{name}.2", out, out, bias=True)


def deepseek_towers(config: Config, vision: Config, text: Config) -> tuple[Tower, ...]:
    """DeepSeek-VL2's SigLIP, or DeepSeek-OCR's pair of encoders, told apart by `width`."""
    projector = config.get("projector_config") or {}
    out = integer(projector, "n_embed", default=integer(text, "hidden_size"))
    if isinstance(vision.get("width"), dict):
        return _ocr_towers(projector, out)
    return (_timm_tower(vision, projector, out),)


def _timm_tower(vision: Config, projector: Config, out: int) -> Tower:
    """The SigLIP of timm: attention whole on every rank, networks split, a pooling head (deepseek_vl2.py)."""
    hidden, patch = integer(vision, "width", default=1152), integer(vision, "patch_size", default=14)
    inner = int(hidden * float(vision.get("mlp_ratio") or 3.7362))
    side = integer(vision, "image_size", default=384) // patch
    split = (linear("blocks.0.mlp.fc1", inner, hidden, "column"), linear("blocks.0.mlp.fc2", hidden, inner, "row"))
    shuffled = hidden * integer(projector, "downsample_ratio", default=2) ** 2
    return tower_of(
        "vision",
        integer(vision, "layers", default=27),
        (
            plain("blocks.0.attn", 4 * hidden, hidden, bias=True),
            *split,
            plain("norms", hidden, bias=True, copies=2),
        ),
        plain("patch_embed", hidden, 3 * patch**2, bias=True),
        plain("pos_embed", side**2 + 1, hidden),
        plain("norms", hidden, bias=True, copies=2),
        plain("attn_pool", 4 * hidden, hidden, bias=True),
        *split,
        plain("separators", out, copies=2),
        *_projection("projector.layers", out, shuffled),
    )


def _ocr_towers(projector: Config, out: int) -> tuple[Tower, ...]:
    """SAM's base encoder, whole on every rank, and CLIP-L behind it, both fixed by the class (deepseek_ocr.py)."""
    hidden, inner, head = 768, 3072, 64
    sam = tower_of(
        "sam_model",
        12,
        (
            plain("attn", 4 * hidden, hidden, bias=True),
            plain("mlp.lin1", inner, hidden, bias=True),
            plain("mlp.lin2", hidden, inner, bias=True),
            plain("norms", hidden, bias=True, copies=2),
        ),
        plain("pos_embed", 64 * 64 + 3 * 16**2, hidden, bias=False),
        plain("rel_pos", 2 * (8 * 27 + 4 * 127), head),
        plain("neck", 256, hidden + 9 * 256 + 4),
        plain("net_2", 512, 9 * 256),
        plain("net_3", 1024, 9 * 512),
    )
    shape = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "image_size": 224,
             "patch_size": 14}  # fmt: skip
    encoder = clip_encoder(shape, post_norm=False)
    last = plain("projector.layers", out, integer(projector, "input_dim", default=2048), bias=True)
    separators = plain("separators", out, copies=2)
    clip = encoder.tower("vision_model", last, separators)
    return sam, clip


def radio_towers(config: Config, vision: Config, text: Config) -> tuple[Tower, ...]:
    """RADIO with a projector of two whole matrices without biases (nano_nemotron_vl.py, radio.py).

    Raises:
        UnsupportedArchitectureError: RADIO on a transformer whose widths are not known.
    """
    named = str((vision.get("args") or {}).get("model") or "")
    found = next((shape for prefix, shape in _RADIO.items() if named.startswith(prefix)), None)
    if found is None:
        raise UnsupportedArchitectureError(
            f"vision_config.args names the transformer {named!r}; known are {', '.join(_RADIO)}"
        )
    hidden, count, inner = found
    patch = integer({**vision, **config}, "patch_size", default=16)
    side = integer(vision, "max_resolution", default=2048) // patch
    merged, middle = 4 * hidden, integer(config, "projector_hidden_size")
    return (
        tower_of(
            "vision_model",
            count,
            (*block(_names("encoder.layers.0"), hidden, inner), plain("layer_scale", hidden, copies=2)),
            plain("patch_generator.pos_embed", side**2 + 8, hidden),
            plain("patch_generator.embedder", hidden, 3 * patch**2),
            plain("mlp1.norm", merged),
            plain("mlp1.1", middle, merged),
            plain("mlp1.3", integer(text, "hidden_size"), middle),
        ),
    )


def step3_towers(config: Config, vision: Config, text: Config) -> tuple[Tower, ...]:
    """Step3: CLIP-like blocks, two strided convolutions, one matrix (step3_vl.py)."""
    encoder = clip_encoder(vision, post_norm=False)
    hidden, middle = encoder.width, integer(vision, "output_hidden_size", default=4096)
    tower = tower_of(
        "vision_model",
        encoder.blocks,
        encoder.block,
        plain("embeddings.patch_embedding", hidden, 3 * integer(vision, "patch_size") ** 2, bias=True),
        plain("embeddings.position_embedding", patches(vision) + 2, hidden),
        plain("vit_downsampler", middle, 4 * hidden, bias=True),
        plain("vit_downsampler2", 2 * middle, 9 * middle, bias=True),
        plain("vit_large_projector", integer(text, "hidden_size"), 2 * middle, bias=bool(config.get("projector_bias"))),
    )
    return (tower,)


def lfm2_towers(config: Config, vision: Config, text: Config) -> tuple[Tower, ...]:
    """LFM2-VL: SigLIP 2 of any resolution, a whole projector (lfm2_vl.py, lfm2_siglip2.py)."""
    shape = {**vision, "image_size": integer(vision, "patch_size", default=16)}
    encoder = siglip_encoder(shape)
    merged = encoder.width * integer(config, "downsample_factor", default=2) ** 2
    middle, bias = integer(config, "projector_hidden_size", default=2560), bool(config.get("projector_bias", True))
    normed = (plain("multi_modal_projector.layer_norm", merged, bias=True),)
    return (
        encoder.tower(
            "vision_tower",
            plain("embeddings.position_embedding", integer(vision, "num_patches", default=256) - 1, encoder.width),
            *(normed if config.get("projector_use_layernorm", True) else ()),
            plain("multi_modal_projector.linear_1", middle, merged, bias=bias),
            plain("multi_modal_projector.linear_2", integer(text, "hidden_size"), middle, bias=bias),
        ),
    )


def eagle_towers(config: Config, vision: Config, text: Config) -> tuple[Tower, ...]:
    """Eagle 2.5: SigLIP and InternVL's projector (eagle2_5_vl.py)."""
    encoder, out = siglip_encoder(vision), integer(text, "hidden_size")
    merged = encoder.width * round(1 / float(config.get("downsample_ratio") or 0.5)) ** 2
    outer = (*encoder.outer, plain("mlp1.norm", merged, bias=True), *_projection("mlp1", out, merged))
    return (tower_of("vision_model", encoder.blocks, encoder.block, *outer),)


def ovis_towers(config: Config, vision: Config, text: Config) -> tuple[Tower, ...]:
    """Ovis 2.5: SigLIP 2, a head over visual words, and their embedding (ovis2_5.py, siglip2navit.py)."""
    encoder, words = siglip_encoder(vision), integer(config, "visual_vocab_size")
    merged = encoder.width * integer(vision, "hidden_stride", default=2) ** 2
    head = (
        linear("head.0", words - 4, merged, bias=False),
        plain("head.1", words - 4, bias=True),
        plain("vte", words, integer(text, "hidden_size")),
    )
    return (encoder.tower("visual_tokenizer", *head),)


def old_ovis_towers(_config: Config, tokenizer: Config, text: Config) -> tuple[Tower, ...]:
    """Ovis 1.6 and 2: AIMv2 below `visual_tokenizer_config`, a head over visual words (ovis.py, aimv2.py).

    Raises:
        UnsupportedArchitectureError: another backbone.
    """
    vision, words = tokenizer.get("backbone_config") or {}, integer(tokenizer, "vocab_size")
    if vision.get("model_type") != "aimv2":
        raise UnsupportedArchitectureError(
            f"visual_tokenizer_config names the backbone {vision.get('model_type')!r}; known is aimv2"
        )
    hidden, inner = integer(vision, "hidden_size"), integer(vision, "intermediate_size")
    name = "backbone.trunk.blocks.0"
    names = (f"{name}.attn.qkv", f"{name}.attn.proj", (f"{name}.mlp.fc1", f"{name}.mlp.fc3"), f"{name}.mlp.fc2")
    merged = hidden * integer(tokenizer, "hidden_stride", default=2) ** 2
    return (
        tower_of(
            "visual_tokenizer",
            integer(vision, "num_hidden_layers"),
            block(names, hidden, inner, bias=bool(vision.get("use_bias")), norm_bias=False),
            plain("backbone.pos_embed", patches(vision) + 1, hidden),
            plain("backbone.patchifier", hidden, 3 * integer(vision, "patch_size") ** 2, bias=True),
            linear("head.0", words - 5, merged, bias=False),
            plain("head.1", words - 5, bias=True),
            plain("vte", words, integer(text, "hidden_size")),
        ),
    )


def muse_tower(vision: Config, text: Config) -> Tower:
    """Blocks over patches of two frames, merged patches through an adapter, one matrix to the decoder."""
    hidden, inner = integer(vision, "hidden_size"), integer(vision, "intermediate_size")
    patch = 3 * integer(vision, "patch_temporal", default=2) * integer(vision, "patch_size", default=14) ** 2
    positions = integer(vision, "pos_emb_height", default=32) * integer(vision, "pos_emb_width", default=32)
    merged = hidden * integer(vision, "merge_kernel_size", default=2) ** 2
    adapter = integer(vision, "adapter_dim", default=4096)
    name = "transformer.0"
    return tower_of(
        "vision_encoder",
        integer(vision, "num_hidden_layers"),
        (
            linear(f"{name}.attn.qkv_proj", 3 * hidden, hidden, "column"),
            linear(f"{name}.attn.o_proj", hidden, hidden, "row"),
            plain(f"{name}.mlp.c_fc", inner, hidden, bias=True),
            plain(f"{name}.mlp.c_proj", hidden, inner, bias=True),
            plain("norms", hidden, bias=True, copies=2),
        ),
        plain("positional_embedding", positions, hidden),
        plain("conv1_linear", hidden, patch),
        plain("norms", hidden, bias=True, copies=2),
        plain("vision_adapter.c_fc", adapter, merged),
        plain("vision_adapter.c_proj", adapter, adapter),
        plain("vision_projection", integer(text, "hidden_size"), adapter),
    )
