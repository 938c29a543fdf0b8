"""`python -m generator`: the same as `vllm-wizard`."""

import gc


def main() -> None:
    """Run the command line and exit with the documented status.

    A command is short: looking for cycles among the classes that it imports is a tenth of `plan`, first and last.
    """
    gc.disable()
    from generator.cli.app import main as started  # noqa: PLC0415 - after that

    try:
        started()
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
