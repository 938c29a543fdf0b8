"""Vision towers by family, with the projector that leads to the decoder (vLLM 0.32 model_executor/models)."""

from typing import Any

from generator.models.architecture import Tower
from generator.sources.architectures.fields import Config, integer
from generator.sources.architectures.towers import block, linear, plain, tower_of


def siglip_tower(vision: Config, text: Config) -> Tower:
    """SigLIP with Gemma 3's projector: one matrix and a norm (gemma3_mm.py, siglip.py)."""
    hidden, patch = int(vision["hidden_size"]), int(vision["patch_size"])
    positions = (int(vision["image_size"]) // patch) ** 2
    names = (
        "encoder.layers.0.self_attn.qkv_proj", "encoder.layers.0.self_attn.out_proj",
        ("encoder.layers.0.mlp.fc1",), "encoder.layers.0.mlp.fc2",
    )  # fmt: skip
    return tower_of(
        "vision_tower.vision_model",
        int(vision["num_hidden_layers"]),
        block(names, hidden, int(vision["intermediate_size"])),
        plain("embeddings.patch_embedding", hidden, 3 * patch**2, bias=True),
        plain("embeddings.position_embedding", positions, hidden),
        plain("post_layernorm", hidden, bias=True),
        plain("multi_modal_projector", hidden, int(text["hidden_size"]) + 1),
    )


def gemma4_tower(vision: Config, text: Config) -> Tower:
    """Gemma 4's encoder, which every rank holds whole (gemma4_mm.py)."""
    hidden, inner = int(vision["hidden_size"]), int(vision["intermediate_size"])
    heads = int(vision["num_attention_heads"])
    width = heads * int(vision.get("head_dim") or hidden // heads)
    table = int(vision.get("position_embedding_size") or 10240)
    return tower_of(
        "vision_tower",
        int(vision["num_hidden_layers"]),
        (
            plain("encoder.layers.0.self_attn", 4 * width, hidden),
            plain("encoder.layers.0.mlp", 3 * inner, hidden),
            plain("norms", 4 * hidden + 2 * width // heads),
        ),
        plain("patch_embedder.position_embedding_table", 2 * table, hidden),
        plain("patch_embedder.input_proj", hidden, 3 * int(vision["patch_size"]) ** 2),
        plain("embed_vision.embedding_projection", int(text["hidden_size"]), hidden),
    )


def llama4_tower(vision: Config, text: Config) -> Tower:
    """Llama 4, by its Transformers defaults where config.json leaves the tower out (mllama4.py)."""
    hidden, inner = int(vision.get("hidden_size") or 768), int(vision.get("intermediate_size") or 5632)
    patch, image = int(vision.get("patch_size") or 14), int(vision.get("image_size") or 448)
    middle, out = int(vision.get("projector_input_dim") or 4096), int(vision.get("projector_output_dim") or 4096)
    final = int(vision.get("vision_output_dim") or 7680)
    names = (
        "model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.o_proj",
        ("model.layers.0.mlp.fc1",), "model.layers.0.mlp.fc2",
    )  # fmt: skip
    return tower_of(
        "vision_model",
        int(vision.get("num_hidden_layers") or 34),
        block(names, hidden, inner),
        plain("embeddings", (image // patch) ** 2 + 2, hidden),
        plain("layernorms", hidden, bias=True, copies=2),
        linear("patch_embedding.linear", hidden, 3 * patch**2, "column", bias=False),
        linear("vision_adapter.mlp.fc1", middle, inner, "column", bias=False),
        linear("vision_adapter.mlp.fc2", out, middle, "row", bias=False),
        linear("multi_modal_projector.linear_1", int(text["hidden_size"]), final, "column", bias=False),
    )


def kimi_tower(vision: Config, text: Config) -> Tower:
    """Kimi-K2.5 and K3: MoonViT, whole on each rank where heads do not divide (kimi_k25_vit.py)."""
    hidden, inner = int(vision["vt_hidden_size"]), int(vision["vt_intermediate_size"])
    heads = int(vision["vt_num_attention_heads"])
    bias = bool(vision.get("attn_bias", True))
    norm_bias = vision.get("norm_type", "layernorm") != "rmsnorm"
    names = ("encoder.blocks.0.wqkv", "encoder.blocks.0.wo", ("encoder.blocks.0.mlp.fc0",), "encoder.blocks.0.mlp.fc1")
    merged = hidden
    for side in vision.get("merge_kernel_size") or (2, 2):
        merged *= int(side)
    patch_bias = bool(vision.get("patch_embed_proj_bias", True))
    side_bias = bool(vision.get("linear_bias", True))
    height, width = int(vision["init_pos_emb_height"]), int(vision["init_pos_emb_width"])
    out = int(vision.get("text_hidden_size") or text["hidden_size"])
    return tower_of(
        "vision_tower",
        int(vision["vt_num_hidden_layers"]),
        block(
            names,
            hidden,
            inner,
            heads=heads,
            width=vision.get("qkv_hidden_size"),
            bias=bias,
            mlp_bias=side_bias,
            norm_bias=norm_bias,
        ),
        plain("patch_embed", hidden, 3 * int(vision["patch_size"]) ** 2, bias=patch_bias),
        plain("pos_emb", height * width, hidden),
        plain("norms", hidden, bias=norm_bias, copies=2),
        linear("mm_projector.linear_1", merged, merged, bias=side_bias),
        linear("mm_projector.linear_2", out, merged, bias=side_bias),
    )


def kimi_vl_tower(vision: Config, text: Config) -> Tower:
    """Kimi-VL: the same encoder by other field names (moonvit.py, kimi_vl.py)."""
    named = {
        **vision,
        "vt_hidden_size": vision["hidden_size"],
        "vt_intermediate_size": vision["intermediate_size"],
        "vt_num_attention_heads": vision["num_attention_heads"],
        "vt_num_hidden_layers": vision["num_hidden_layers"],
    }
    return kimi_tower(named, text)


def intern_tower(vision: Config, text: Config) -> Tower:
    """InternViT with a projector of two matrices on every rank (intern_vit.py, internvl.py)."""
    hidden, inner = int(vision["hidden_size"]), int(vision["intermediate_size"])
    patch, image = _first_of(vision["patch_size"]), _first_of(vision["image_size"])
    names = (
        "encoder.layers.0.attn.qkv",
        "encoder.layers.0.attn.proj",
        ("encoder.layers.0.mlp.fc1",),
        "encoder.layers.0.mlp.fc2",
    )
    out, heads = int(text["hidden_size"]), integer(vision, "num_attention_heads")
    bias = bool(vision.get("qkv_bias", True))
    norm_bias = vision.get("norm_type", "layer_norm") != "rms_norm"
    blocks = block(names, hidden, inner, heads=heads, norm_bias=norm_bias)
    return tower_of(
        "vision_model",
        int(vision["num_hidden_layers"]),
        (
            blocks[0].model_copy(update={"bias": bias}),
            blocks[1],
            *(matrix.model_copy(update={"undivided": 0}) for matrix in blocks[2:]),
            plain("layer_scale", hidden, copies=2),
            *((plain("attn.norms", hidden, copies=2),) if vision.get("qk_normalization") else ()),
        ),
        plain("patch_embedding", hidden, 3 * patch**2, bias=True),
        plain("position_embedding", (image // patch) ** 2 + 2, hidden),
        plain("mlp1.norm", 4 * hidden, bias=True),
        plain("mlp1.1", out, 4 * hidden, bias=True),
        plain("mlp1.3", out, out, bias=True),
    )


def nvlm_tower(vision: Config, text: Config) -> Tower:
    """NVLM: InternViT with seven heads added so that ranks divide them, a wide projector (nvlm_d.py)."""
    tower = intern_tower(vision, text)
    hidden, heads = integer(vision, "hidden_size"), integer(vision, "num_attention_heads")
    width, inner = (heads + 7) * (hidden // heads), integer(text, "intermediate_size")
    qkv, proj, *others = tower.block
    return tower.model_copy(update={
        "num_heads": heads + 7,
        "block": (
            qkv.model_copy(update={"rows": 3 * width, "undivided": 0}),
            proj.model_copy(update={"columns": width, "undivided": 0}),
            *others,
        ),
        "outer": (
            *tower.outer[:3],
            plain("mlp1.1", inner, 4 * hidden),
            plain("mlp1.3", integer(text, "hidden_size"), inner),
        ),
    })  # fmt: skip


def intern_hf_tower(vision: Config, text: Config) -> Tower:
    """InternVL in Transformers' layout: attention whole on every rank, a split projector (interns1_vit.py)."""
    hidden, inner, out = int(vision["hidden_size"]), int(vision["intermediate_size"]), int(text["hidden_size"])
    patch, image = _first_of(vision["patch_size"]), _first_of(vision["image_size"])
    name = "encoder.layer.0"
    return tower_of(
        "vision_tower",
        int(vision["num_hidden_layers"]),
        (
            plain(f"{name}.attention.qkv", 3 * hidden, hidden, bias=bool(vision.get("attention_bias"))),
            plain(f"{name}.attention.projection_layer", hidden, hidden, bias=True),
            linear(f"{name}.mlp.fc1", inner, hidden, "column"),
            linear(f"{name}.mlp.fc2", hidden, inner, "row"),
            plain(f"{name}.norms", hidden, bias=True, copies=2),
            plain(f"{name}.lambda", hidden, copies=2),
        ),
        plain("patch_embeddings", hidden, 3 * patch**2, bias=True),
        plain("position_embeddings", (image // patch) ** 2 + 2, hidden),
        plain("multi_modal_projector.layer_norm", 4 * hidden, bias=True),
        plain("multi_modal_projector.linear_1", out, 4 * hidden, bias=True),
        plain("multi_modal_projector.linear_2", out, out, bias=True),
    )


def _first_of(value: Any) -> int:
    return int(value[0] if isinstance(value, list) else value)


def generic_tower(vision: Config, text: Config) -> Tower:
    """A vision transformer by standard field names, with a projector of two matrices."""
    hidden = integer(vision, "hidden_size", "embed_dim", "width")
    inner = integer(vision, "intermediate_size", "mlp_dim", default=4 * hidden)
    patch = _first_of(vision.get("patch_size") or 14)
    names = ("blocks.0.attn.qkv", "blocks.0.attn.proj", ("blocks.0.mlp.fc1",), "blocks.0.mlp.fc2")
    out = integer(text, "hidden_size")
    return tower_of(
        "vision_tower",
        integer(vision, "num_hidden_layers", "depth", "layers"),
        block(names, hidden, inner),
        plain("patch_embedding", hidden, 3 * patch**2, bias=True),
        linear("projector.0", out, hidden, "column"),
        linear("projector.2", out, out, "row"),
    )
