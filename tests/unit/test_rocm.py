"""AMD: rows, platform, backends, quantizations and what is not rendered; read in vLLM 0.32.0 and 0.33.0 for ROCm."""

from __future__ import annotations

import pytest
from strategies import case_of

from generator.catalogue.engines import engine
from generator.catalogue.gpus import find_gpu
from generator.catalogue.models import embedded_ids, embedded_model
from generator.catalogue.quantizations import all_quantizations
from generator.copier_ext import refuse_unserved
from generator.errors import RequestError
from generator.models.capability import ADA, BLACKWELL, CDNA3, CDNA4, Capability, CapabilitySet
from generator.models.host import ROCM
from generator.models.request import Request
from generator.operations.generate import generate
from generator.planning.arithmetic import arithmetic
from generator.planning.planner import planned
from generator.sources import plain_yaml
from generator.workflow import plan_for

AMD = ("MI300X", "MI325X", "MI350X", "MI355X")
LISTED = frozenset(
    {
        "awq", "auto_awq", "awq_marlin", "gptq", "auto_gptq", "fp8", "deepseek_v4_fp8", "compressed-tensors",
        "fbgemm_fp8", "inc", "quark", "mxfp4", "mxfp8", "torchao", "modelopt", "modelopt_fp4", "modelopt_mxfp8",
        "modelopt_mixed", "fp8_per_tensor", "fp8_per_block", "fp8_per_channel", "online", "gpt_oss_mxfp4",
    }
)  # fmt: skip
"""RocmPlatform.supported_quantization of vLLM 0.32.0 and 0.33.0, platforms/rocm.py."""


@pytest.mark.parametrize(
    ("name", "mib", "words"),
    [  # rocm-smi: 206141652992 and 309220868096 bytes; torch: 255.98 GiB
        ("MI300X", 206141652992 // 1024**2, "gfx942"), ("AMD Instinct MI325X", 262124, "gfx942"),
        ("AMD Instinct MI350X", 309220868096 // 1024**2, "gfx950"), ("mi355x", 294896, "gfx950"),
    ],
)  # fmt: skip
def test_rows_have_what_amd_s_tools_print(name, mib, words):
    gpu = find_gpu(name)
    assert gpu.memory_bytes // 1024**2 == pytest.approx(mib, abs=1)
    assert (gpu.capability.words, gpu.capability.is_rocm) == (words, True)


def test_no_set_of_cuda_has_an_architecture_of_amd():
    for words in ("8.0+", "9.x", "7.5-12.1", "10.0"):
        assert not CapabilitySet(words).has(CDNA3)
    assert CapabilitySet("rocm").has(CDNA4)
    assert CapabilitySet("gfx942 12.x").has(CDNA3)
    assert not CapabilitySet("gfx942 rocm").has(BLACKWELL)
    assert CapabilitySet("").has(CDNA3)
    assert Capability.of(CDNA4.words) == CDNA4 > BLACKWELL > ADA


@pytest.mark.parametrize("gpu", ["MI300X", "MI355X"])
def test_every_embedded_model_is_planned_or_refused_by_name(gpu):
    """All that vLLM serves there by its platform's list; the others with vLLM's sentence."""
    refused = {}
    for name in embedded_ids():
        facts = embedded_model(name)
        try:
            made = plan_for(Request(model=name, gpu=gpu, gpus=2, source="embedded", trust_remote_code=True), facts)
        except RequestError as error:
            refused[name] = str(error)
        else:
            assert made.runtime.image == f"vllm/vllm-openai-rocm:v{engine().version}"
            assert made.estimate is None
    assert all("not supported in rocm" in said or "no attention backend" in said for said in refused.values())
    assert len(refused) < len(embedded_ids()) // 4


def test_the_platform_s_list_is_the_column_of_the_table():
    for method in all_quantizations():
        assert method.rocm == bool({method.name, *method.aliases} & LISTED)


def test_a_method_off_the_list_is_refused_with_vllm_s_words():
    with pytest.raises(RequestError, match="experts_int8 quantization is currently not supported in rocm"):
        planned(case_of("Qwen/Qwen3-8B", "MI300X", overrides={"quantization": "experts_int8"}))


def test_amd_starts_with_the_first_backend_that_takes_the_layer():
    """_get_backend_priorities without AITER's switch: ROCM_ATTN, the unified one for sinks, TRITON_MLA."""
    release = engine("0.33.0").release
    order = {mla: next(one.backends for one in release.orders if one.fits(CDNA3, mla=mla)) for mla in (False, True)}
    assert order[False] == ("ROCM_ATTN", "ROCM_AITER_UNIFIED_ATTN", "TRITON_ATTN")
    assert order[True] == ("TRITON_MLA", "ROCM_AITER_MLA_SPARSE")
    assert not release.by_name["ROCM_ATTN"].sink
    assert planned(case_of("openai/gpt-oss-20b", "MI300X")).feasibility.fits


def test_a_cache_that_no_backend_takes_is_refused():
    with pytest.raises(RequestError, match="ROCM_ATTN: kv_cache_dtype not supported"):
        planned(case_of("Qwen/Qwen3-8B", "MI300X", overrides={"kv_cache_dtype": "nvfp4"}))


def test_a_release_whose_platform_was_not_read_is_not_planned():
    with pytest.raises(RequestError, match=r"its ROCm platform was not read; pin vLLM 0\.32 or newer"):
        plan_for(
            Request(model="Qwen/Qwen3-8B", gpu="MI300X", vllm="0.29.0", source="embedded"),
            embedded_model("Qwen/Qwen3-8B"),
        )


def test_fp8_is_native_and_fp4_is_unpacked():
    methods = {method.name: method for method in all_quantizations()}
    for name in AMD:
        assert arithmetic(methods["fp8"], find_gpu(name), "0.33.0").verdict == "native"
        found = arithmetic(methods["modelopt_fp4"], find_gpu(name), "0.33.0")
        assert found.verdict == "emulated"
        assert "unless AITER" in found.text


def test_fnuz_is_said_of_mi300_alone():
    said = {
        name: any("FNUZ" in text for text in planned(case_of("Qwen/Qwen3-32B-FP8", name)).advisories) for name in AMD
    }
    assert said == {"MI300X": True, "MI325X": True, "MI350X": False, "MI355X": False}


def test_what_a_launcher_needs_is_in_the_plan():
    launcher = planned(case_of("Qwen/Qwen3-8B", "MI300X")).launcher
    assert (launcher.devices, launcher.groups) == (("/dev/kfd", "/dev/dri"), ("video", "render"))
    assert launcher.gpu_resource == "amd.com/gpu"
    assert planned(case_of("Qwen/Qwen3-8B", "L4")).launcher.gpu_resource == "nvidia.com/gpu"


def test_templates_before_1_6_render_nothing_for_amd():
    made = planned(case_of("Qwen/Qwen3-8B", "MI300X"))
    with pytest.raises(RequestError, match=r"AMD's MI300X-192GB from 1\.6\.0 on: .*--upgrade"):
        refuse_unserved(made, ("generate",), ("cuda",))
    refuse_unserved(made, ("generate",), ("cuda", "rocm"))


def test_every_launcher_names_amd_s_devices(tmp_path):
    """Compose, docker run, the chart and KServe: no word of NVIDIA's runtime is left."""
    request = Request(model="Qwen/Qwen3-8B", gpu="MI300X", source="embedded")
    artefacts = ("compose", "command", "kubernetes", "kserve", "profile")
    place = generate(request, tmp_path / "made", artefacts=artefacts, template="worktree", commit=False).path
    vllm = plain_yaml.load((place / "compose.yaml").read_bytes())["services"]["vllm"]
    assert vllm["devices"] == list(ROCM.devices)
    assert vllm["group_add"][0] == ROCM.groups[0]
    assert "deploy" not in vllm
    script = (place / "scripts/docker-run.sh").read_text()
    assert all(f"--device {one}" in script for one in ROCM.devices)
    assert plain_yaml.load((place / "deploy/chart/values.yaml").read_bytes())["gpuResource"] == ROCM.gpu_resource
    for file in ("compose.yaml", "scripts/docker-run.sh", "platform/kserve.yaml", "scripts/preflight.sh"):
        assert "nvidia" not in (place / file).read_text().lower()


def test_no_change_of_a_plan_leaves_the_maker():
    made = planned(case_of("deepseek-ai/DeepSeek-V3", "MI300X", 2))
    assert made.feasibility.verdict == "does_not_fit"
    assert all("H100" not in " ".join(one.flags) and "B200" not in " ".join(one.flags) for one in made.repairs)
