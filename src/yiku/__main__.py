"""`python -m yiku` is `yiku`."""

from yiku.cli.main import run

if __name__ == "__main__":
    run()
