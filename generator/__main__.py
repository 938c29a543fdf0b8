"""`python -m generator`: the same as `vllm-wizard`."""

from generator.cli.app import main

if __name__ == "__main__":
    main()
