"""How one replica is laid out over ranks, by vLLM's argument names, and where it is one of several servers."""

from generator.models.value import Value


class Layout(Value):
    """Parallel sizes; a rank is one GPU, a replica is tp * pp ranks."""

    tensor_parallel_size: int = 1
    pipeline_parallel_size: int = 1
    data_parallel_size: int = 1
    enable_expert_parallel: bool = False
    decode_context_parallel_size: int = 1

    @property
    def ranks(self) -> int:
        """GPUs in use."""
        return self.replica_ranks * self.data_parallel_size

    @property
    def replica_ranks(self) -> int:
        """GPUs of one replica."""
        return self.tensor_parallel_size * self.pipeline_parallel_size

    @property
    def expert_slices(self) -> int:
        """Ranks that each expert is cut over: 1 with expert parallelism, else tp * dp."""
        return 1 if self.enable_expert_parallel else self.tensor_parallel_size * self.data_parallel_size

    @property
    def expert_parallel_size(self) -> int:
        """Ranks that the experts are spread over: tp * dp with expert parallelism, else 1."""
        return self.tensor_parallel_size * self.data_parallel_size if self.enable_expert_parallel else 1

    def of_engine(self, *, shares_experts: bool) -> tuple[int, ...]:
        """What memory and weights of a rank depend on: not on replicas beside its own, unless they share experts."""
        alone = (self.tensor_parallel_size, self.pipeline_parallel_size, self.decode_context_parallel_size)
        return (*alone, self.data_parallel_size, self.enable_expert_parallel) if shares_experts else alone


class Server(Value):
    """One of several equal servers on a node."""

    name: str
    """Of its container; the first is `vllm`."""
    gpu_ids: tuple[str, ...]
    """The driver's indices of its GPUs, where no other deployment is on the node."""
