"""Equal servers: what one of several equal servers on a node has of its GPUs."""

from generator.errors import RequestError
from generator.models.hardware import Cluster
from generator.models.request import Request
from generator.presenting.text import plural


def share_of(node: Cluster, request: Request) -> Cluster:
    """The GPUs of one server; all of them where there is one, or where their number is the planner's to choose.

    Raises:
        RequestError: they do not divide, or several servers would be planned for several nodes or for a rate.
    """
    number = request.servers
    if number <= 1:
        return node
    if node.nodes > 1:
        raise RequestError("--servers are those of one node: leave --nodes out, or take one server over all nodes")
    if node.gpus_per_node % number:
        raise RequestError(
            f"{plural(node.gpus_per_node, 'GPU')} do not divide into {number} equal servers: change --servers "
            "(0: as is best) or --gpus"
        )
    if request.requests_per_s:
        raise RequestError(
            "--requests-per-s is carried by replicas of one server: leave --servers out, or state the requests in "
            "flight with --concurrency"
        )
    return node.model_copy(update={"gpus_per_node": node.gpus_per_node // number})
